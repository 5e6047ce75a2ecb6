/** Leading coefficients below this share of the largest one are taken for zero. */
const NEGLIGIBLE = 1e-14;
/** Rounding hides the roots of an interval shorter than this share of its distance from 0: what is left is one root. */
const SHORTEST = 1e-6;
const MAXIMUM_STEPS = 60;
/** A root is exact enough when steps are below this share of its size. */
const TOLERANCE = 1e-14;

/**
 * Real roots of a polynomial within an interval, ascending; roots that coincide count once. Sturm's theorem separates
 * them, bisection with Newton steps refines them.
 *
 * @param coefficients by ascending power
 */
export function realRoots(coefficients: Float64Array, from: number, to: number): number[] {
  const chain = sturmChain(coefficients);
  const roots: number[] = [];
  if (chain.length < 2) return roots;
  separate(chain, { from, to, changesFrom: signChanges(chain, from), changesTo: signChanges(chain, to) }, roots);
  return roots;
}

interface Interval {
  from: number;
  to: number;
  changesFrom: number;
  changesTo: number;
}

function separate(chain: Float64Array[], interval: Interval, roots: number[]): void {
  const { from, to, changesFrom, changesTo } = interval;
  const count = changesFrom - changesTo;
  if (count <= 0) return;
  const [polynomial, derivative] = chain as [Float64Array, Float64Array];
  // A double root changes no sign: only the count of changes in the chain can close in on it.
  const isCrossing = evaluate(polynomial, from) > 0 !== evaluate(polynomial, to) > 0;
  const isShort = to - from < SHORTEST * Math.max(1, Math.abs(from));
  if ((count === 1 && isCrossing) || isShort) {
    roots.push(refine(polynomial, derivative, from, to));
    return;
  }
  const middle = (from + to) / 2;
  const changes = signChanges(chain, middle);
  separate(chain, { from, to: middle, changesFrom, changesTo: changes }, roots);
  separate(chain, { from: middle, to, changesFrom: changes, changesTo }, roots);
}

/** The only root in an interval: Newton's method where it stays inside the bracket, bisection where it would not. */
function refine(polynomial: Float64Array, derivative: Float64Array, from: number, to: number): number {
  let low = from;
  let high = to;
  const isRising = evaluate(polynomial, high) > 0;
  let root = (low + high) / 2;
  for (let step = 0; step < MAXIMUM_STEPS; step++) {
    const value = evaluate(polynomial, root);
    if (value === 0) return root;
    if (value > 0 === isRising) high = root;
    else low = root;
    const newton = root - value / evaluate(derivative, root);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    const isSettled = Math.abs(next - root) <= TOLERANCE * Math.abs(root);
    root = next;
    if (isSettled) break;
  }
  return root;
}

/** The polynomial, its derivative, and the negated remainders of Euclid's algorithm, each scaled to a largest coefficient of 1. */
function sturmChain(coefficients: Float64Array): Float64Array[] {
  const first = trimmed(coefficients);
  if (first.length < 2) return [];
  const chain = [first, trimmed(first.subarray(1).map((value, i) => value * (i + 1)))];
  for (;;) {
    const divisor = chain.at(-1)!;
    if (divisor.length < 2) return chain;
    const rest = trimmed(negatedRemainder(chain.at(-2)!, divisor));
    if (rest.length === 0) return chain;
    chain.push(rest);
  }
}

function trimmed(coefficients: Float64Array): Float64Array {
  let largest = 0;
  for (const value of coefficients) largest = Math.max(largest, Math.abs(value));
  let length = coefficients.length;
  while (length > 0 && !(Math.abs(coefficients[length - 1]!) > NEGLIGIBLE * largest)) length--;
  const kept = coefficients.slice(0, length);
  for (let i = 0; i < length; i++) kept[i]! /= largest;
  return kept;
}

function negatedRemainder(dividend: Float64Array, divisor: Float64Array): Float64Array {
  const rest = dividend.slice();
  const degree = divisor.length - 1;
  for (let power = rest.length - 1; power >= degree; power--) {
    const factor = rest[power]! / divisor[degree]!;
    for (let i = 0; i <= degree; i++) rest[power - degree + i]! -= factor * divisor[i]!;
  }
  const remainder = rest.subarray(0, degree);
  // A remainder that is all rounding error ends the chain: the two have a common divisor.
  let largest = 0;
  for (const value of remainder) largest = Math.max(largest, Math.abs(value));
  if (largest < NEGLIGIBLE) return remainder.subarray(0, 0);
  for (let i = 0; i < degree; i++) remainder[i] = -remainder[i]!;
  return remainder;
}

function signChanges(chain: readonly Float64Array[], x: number): number {
  let changes = 0;
  let last = 0;
  for (const polynomial of chain) {
    const sign = Math.sign(evaluate(polynomial, x));
    if (sign === 0) continue;
    if (last !== 0 && sign !== last) changes++;
    last = sign;
  }
  return changes;
}

function evaluate(polynomial: Float64Array, x: number): number {
  let value = 0;
  for (let power = polynomial.length - 1; power >= 0; power--) value = value * x + polynomial[power]!;
  return value;
}
