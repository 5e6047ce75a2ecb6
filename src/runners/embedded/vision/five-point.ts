import { realRoots } from './polynomial.js';

const SAMPLE_SIZE = 5;
const UNKNOWNS = 9;
const FREE = UNKNOWNS - SAMPLE_SIZE;
/** A pivot smaller than this: the five pairs are not independent. */
const SMALLEST_PIVOT = 1e-10;
/** Roots beyond belong to solutions that hardly contain the fourth basis matrix; rounding has spoilt them. */
const LARGEST_ROOT = 1e4;
/** Cubic monomials of x, y, z in the order of Nistér's table 1: what is left of the first ten follows from them. */
const CUBIC = [
  ...['xxx', 'yyy', 'xxy', 'xyy', 'xxz', 'xx', 'yyz', 'yy', 'xyz', 'xy'],
  ...['xzz', 'xz', 'x', 'yzz', 'yz', 'y', 'zzz', 'zz', 'z', ''],
];
const QUADRATIC = ['xx', 'xy', 'xz', 'x', 'yy', 'yz', 'y', 'zz', 'z', ''];
const LINEAR = ['x', 'y', 'z', ''];
const LINEAR_BY_LINEAR = productTable(LINEAR, LINEAR, QUADRATIC);
const QUADRATIC_BY_LINEAR = productTable(QUADRATIC, LINEAR, CUBIC);
const EQUATIONS = 10;

/** Where in the list of products the product of two monomials stands. */
function productTable(left: readonly string[], right: readonly string[], products: readonly string[]): Uint8Array {
  const sorted = (letters: string): string => Array.from(letters).sort().join('');
  return Uint8Array.from(left.flatMap((a) => right.map((b) => products.indexOf(sorted(a + b)))));
}

/**
 * Essential matrices of five pairs seen by a calibrated camera (Nistér, "An efficient solution to the five-point relative
 * pose problem", PAMI 2004): the matrices that satisfy the five epipolar constraints form a space of four dimensions; the
 * nine cubic equations that make a matrix essential and the one that makes it singular leave a polynomial of degree ten.
 * Points of one plane are no degenerate case.
 *
 * Buffers are kept between calls: one solver serves any number of samples, one after another.
 */
export class FivePointSolver {
  private readonly equations = new Float64Array(SAMPLE_SIZE * UNKNOWNS);
  private readonly columns = new Int32Array(UNKNOWNS);
  /** The entry of the matrix, row-major, by the coefficients of x, y, z and 1. */
  private readonly basis = new Float64Array(UNKNOWNS * FREE);
  private readonly squares = new Float64Array(UNKNOWNS * QUADRATIC.length);
  private readonly trace = new Float64Array(QUADRATIC.length);
  private readonly cubics = new Float64Array(EQUATIONS * CUBIC.length);
  private readonly found = Array.from({ length: EQUATIONS }, () => new Float64Array(UNKNOWNS));

  /**
   * @param goal rays x, y (third component 1) of the goal camera; `current` those of the current one
   * @param sample indices of five pairs
   * @returns matrices E with current' E goal = 0, row-major, of norm 1; valid until the next call
   */
  solve(goal: Float64Array, current: Float64Array, sample: Int32Array): readonly Float64Array[] {
    if (!this.spanSolutions(goal, current, sample)) return [];
    this.writeCubics();
    if (!this.eliminate()) return [];
    return this.backSubstitute();
  }

  /** Writes a basis of the matrices that satisfy the five epipolar constraints. */
  private spanSolutions(goal: Float64Array, current: Float64Array, sample: Int32Array): boolean {
    const { equations, columns, basis } = this;
    for (let row = 0; row < SAMPLE_SIZE; row++) {
      const x = goal[2 * sample[row]!]!;
      const y = goal[2 * sample[row]! + 1]!;
      const u = current[2 * sample[row]!]!;
      const v = current[2 * sample[row]! + 1]!;
      equations.set([u * x, u * y, u, v * x, v * y, v, x, y, 1], row * UNKNOWNS);
    }
    for (let i = 0; i < UNKNOWNS; i++) columns[i] = i;
    for (let step = 0; step < SAMPLE_SIZE; step++) if (!this.pivot(step)) return false;
    basis.fill(0);
    for (let free = 0; free < FREE; free++) {
      basis[columns[SAMPLE_SIZE + free]! * FREE + free] = 1;
      for (let row = 0; row < SAMPLE_SIZE; row++) {
        basis[columns[row]! * FREE + free] = -equations[row * UNKNOWNS + columns[SAMPLE_SIZE + free]!]!;
      }
    }
    this.makeOrthonormal();
    return true;
  }

  /** One step of Gauss-Jordan elimination with the largest entry left as its pivot. */
  private pivot(step: number): boolean {
    const { equations, columns } = this;
    let largest = 0;
    let pivotRow = step;
    let pivotColumn = step;
    for (let row = step; row < SAMPLE_SIZE; row++) {
      for (let i = step; i < UNKNOWNS; i++) {
        const size = Math.abs(equations[row * UNKNOWNS + columns[i]!]!);
        if (size <= largest) continue;
        largest = size;
        pivotRow = row;
        pivotColumn = i;
      }
    }
    if (!(largest > SMALLEST_PIVOT)) return false;
    const column = columns[pivotColumn]!;
    columns[pivotColumn] = columns[step]!;
    columns[step] = column;
    const target = step * UNKNOWNS;
    const source = pivotRow * UNKNOWNS;
    const scale = 1 / equations[source + column]!;
    for (let i = 0; i < UNKNOWNS; i++) {
      const value = equations[source + i]! * scale;
      equations[source + i] = equations[target + i]!;
      equations[target + i] = value;
    }
    for (let row = 0; row < SAMPLE_SIZE; row++) {
      const factor = equations[row * UNKNOWNS + column]!;
      if (row === step || factor === 0) continue;
      for (let i = 0; i < UNKNOWNS; i++) equations[row * UNKNOWNS + i]! -= factor * equations[target + i]!;
    }
    return true;
  }

  /** Gram-Schmidt on the four basis matrices: coefficients of the cubics stay of one size. */
  private makeOrthonormal(): void {
    const { basis } = this;
    for (let j = 0; j < FREE; j++) {
      for (let k = 0; k < j; k++) {
        let dot = 0;
        for (let i = 0; i < UNKNOWNS; i++) dot += basis[i * FREE + j]! * basis[i * FREE + k]!;
        for (let i = 0; i < UNKNOWNS; i++) basis[i * FREE + j]! -= dot * basis[i * FREE + k]!;
      }
      let square = 0;
      for (let i = 0; i < UNKNOWNS; i++) square += basis[i * FREE + j]! ** 2;
      for (let i = 0; i < UNKNOWNS; i++) basis[i * FREE + j]! /= Math.sqrt(square);
    }
  }

  /** E E' E - trace(E E') E / 2 = 0, nine equations, and det E = 0. */
  private writeCubics(): void {
    const { basis, squares, trace, cubics } = this;
    const width = QUADRATIC.length;
    squares.fill(0);
    cubics.fill(0);
    for (let row = 0; row < 3; row++) {
      for (let column = row; column < 3; column++) {
        const target = (3 * row + column) * width;
        for (let k = 0; k < 3; k++) {
          multiplyLinear(basis, (3 * row + k) * FREE, (3 * column + k) * FREE, squares, target, 1);
        }
        squares.copyWithin((3 * column + row) * width, target, target + width);
      }
    }
    for (let i = 0; i < width; i++) trace[i] = (squares[i]! + squares[4 * width + i]! + squares[8 * width + i]!) / 2;
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < width; j++) squares[4 * i * width + j]! -= trace[j]!;
    }
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        for (let k = 0; k < 3; k++) {
          this.multiplyQuadratic(squares, (3 * row + k) * width, (3 * k + column) * FREE, 3 * row + column);
        }
      }
    }
    squares.fill(0, 0, 3 * width);
    for (let i = 0; i < 3; i++) {
      const j = (i + 1) % 3;
      const k = (i + 2) % 3;
      multiplyLinear(basis, (3 + j) * FREE, (6 + k) * FREE, squares, i * width, 1);
      multiplyLinear(basis, (3 + k) * FREE, (6 + j) * FREE, squares, i * width, -1);
      this.multiplyQuadratic(squares, i * width, i * FREE, 9);
    }
  }

  /** Adds the product of a quadratic polynomial and an entry of the basis to an equation. */
  private multiplyQuadratic(quadratics: Float64Array, quadratic: number, linear: number, equation: number): void {
    const { basis, cubics } = this;
    const target = equation * CUBIC.length;
    for (let i = 0; i < QUADRATIC.length; i++) {
      const value = quadratics[quadratic + i]!;
      for (let j = 0; j < FREE; j++) {
        cubics[target + QUADRATIC_BY_LINEAR[i * FREE + j]!]! += value * basis[linear + j]!;
      }
    }
  }

  /** Gauss-Jordan elimination of the first ten monomials. */
  private eliminate(): boolean {
    const { cubics } = this;
    const width = CUBIC.length;
    for (let step = 0; step < EQUATIONS; step++) {
      let pivot = step;
      for (let row = step + 1; row < EQUATIONS; row++) {
        if (Math.abs(cubics[row * width + step]!) > Math.abs(cubics[pivot * width + step]!)) pivot = row;
      }
      const scale = 1 / cubics[pivot * width + step]!;
      if (!Number.isFinite(scale)) return false;
      for (let i = step; i < width; i++) {
        const value = cubics[pivot * width + i]! * scale;
        cubics[pivot * width + i] = cubics[step * width + i]!;
        cubics[step * width + i] = value;
      }
      for (let row = 0; row < EQUATIONS; row++) {
        const factor = cubics[row * width + step]!;
        if (row === step || factor === 0) continue;
        for (let i = step; i < width; i++) cubics[row * width + i]! -= factor * cubics[step * width + i]!;
      }
    }
    return true;
  }

  /** Three equations linear in x and y, their coefficients polynomials of z; where their determinant vanishes is a solution. */
  private backSubstitute(): readonly Float64Array[] {
    const rows = [4, 6, 8].map((upper) => this.reducedRow(upper)) as [Reduced, Reduced, Reduced];
    const [first, second, third] = rows;
    const x = difference(multiply(first.y, second.one), multiply(first.one, second.y));
    const y = difference(multiply(first.one, second.x), multiply(first.x, second.one));
    const w = difference(multiply(first.x, second.y), multiply(first.y, second.x));
    const determinant = sum(multiply(x, third.x), sum(multiply(y, third.y), multiply(w, third.one)));
    const matrices: Float64Array[] = [];
    for (const z of realRoots(determinant, -LARGEST_ROOT, LARGEST_ROOT)) {
      const scale = 1 / valueAt(w, z);
      const matrix = this.found[matrices.length]!;
      if (this.combine(valueAt(x, z) * scale, valueAt(y, z) * scale, z, matrix)) matrices.push(matrix);
    }
    return matrices;
  }

  /** Equation `upper` less z times the next one: what stands before x, before y, and alone. */
  private reducedRow(upper: number): Reduced {
    const { cubics } = this;
    const a = upper * CUBIC.length + EQUATIONS;
    const b = a + CUBIC.length;
    const difference = (at: number, powers: number): Float64Array => {
      const polynomial = new Float64Array(powers + 1);
      for (let i = 0; i < powers; i++) {
        polynomial[powers - 1 - i]! += cubics[a + at + i]!;
        polynomial[powers - i]! -= cubics[b + at + i]!;
      }
      return polynomial;
    };
    return { x: difference(0, 3), y: difference(3, 3), one: difference(6, 4) };
  }

  private combine(x: number, y: number, z: number, matrix: Float64Array): boolean {
    const { basis } = this;
    let square = 0;
    for (let i = 0; i < UNKNOWNS; i++) {
      const at = i * FREE;
      matrix[i] = basis[at]! * x + basis[at + 1]! * y + basis[at + 2]! * z + basis[at + 3]!;
      square += matrix[i]! ** 2;
    }
    const scale = 1 / Math.sqrt(square);
    for (let i = 0; i < UNKNOWNS; i++) matrix[i]! *= scale;
    return Number.isFinite(scale) && scale > 0;
  }
}

/** Polynomials of z by ascending power. */
interface Reduced {
  x: Float64Array;
  y: Float64Array;
  one: Float64Array;
}

function multiplyLinear(
  basis: Float64Array,
  left: number,
  right: number,
  out: Float64Array,
  target: number,
  sign: number,
): void {
  for (let i = 0; i < FREE; i++) {
    const value = sign * basis[left + i]!;
    for (let j = 0; j < FREE; j++) out[target + LINEAR_BY_LINEAR[i * FREE + j]!]! += value * basis[right + j]!;
  }
}

function multiply(a: Float64Array, b: Float64Array): Float64Array {
  const product = new Float64Array(a.length + b.length - 1);
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) product[i + j]! += a[i]! * b[j]!;
  return product;
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  const longer = (a.length > b.length ? a : b).slice();
  const shorter = a.length > b.length ? b : a;
  for (let i = 0; i < shorter.length; i++) longer[i]! += shorter[i]!;
  return longer;
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return sum(
    a,
    b.map((value) => -value),
  );
}

function valueAt(polynomial: Float64Array, x: number): number {
  let value = 0;
  for (let power = polynomial.length - 1; power >= 0; power--) value = value * x + polynomial[power]!;
  return value;
}
