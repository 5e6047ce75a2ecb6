import { solvePositiveDefinite } from './linear-solver.js';

/** Twice the area, in square pixels, below which three points count as collinear. */
const COLLINEAR_AREA = 4;
const UNKNOWNS = 8;

/**
 * The homography of four pairs, in closed form: in the basis of the first three points, the fourth gives the scales
 * (Semple & Kneebone, "Algebraic Projective Geometry", 1952).
 *
 * @param sample indices of four pairs
 * @param matrix takes the row-major 3 x 3 matrix, goal to current; points in front of the camera get a positive depth
 * @returns false for points that no camera sees so: three in a line, or a triangle seen from its back
 */
export function solveFourPoints(
  goal: Float64Array,
  current: Float64Array,
  sample: Int32Array,
  matrix: Float64Array,
): boolean {
  matrix.fill(0);
  const whole = signedArea(goal, sample, 0, 1, 2);
  const seenWhole = signedArea(current, sample, 0, 1, 2);
  if (!isSameSide(whole, seenWhole)) return false;
  const fourth = 2 * sample[3]!;
  for (let i = 0; i < 3; i++) {
    const j = (i + 1) % 3;
    const k = (i + 2) % 3;
    const area = signedArea(goal, sample, j, k, 3);
    const seenArea = signedArea(current, sample, j, k, 3);
    if (!isSameSide(area, seenArea)) return false;
    // The line through points j and k of the goal; at the fourth point it takes the value of the area.
    const jx = goal[2 * sample[j]!]! - goal[fourth]!;
    const jy = goal[2 * sample[j]! + 1]! - goal[fourth + 1]!;
    const kx = goal[2 * sample[k]!]! - goal[fourth]!;
    const ky = goal[2 * sample[k]! + 1]! - goal[fourth + 1]!;
    const a = jy - ky;
    const b = kx - jx;
    const c = jx * ky - jy * kx - a * goal[fourth]! - b * goal[fourth + 1]!;
    const scale = (seenArea / area) * Math.sign(whole);
    const u = scale * current[2 * sample[i]!]!;
    const v = scale * current[2 * sample[i]! + 1]!;
    matrix[0]! += u * a;
    matrix[1]! += u * b;
    matrix[2]! += u * c;
    matrix[3]! += v * a;
    matrix[4]! += v * b;
    matrix[5]! += v * c;
    matrix[6]! += scale * a;
    matrix[7]! += scale * b;
    matrix[8]! += scale * c;
  }
  return true;
}

function isSameSide(area: number, seenArea: number): boolean {
  return Math.abs(area) >= COLLINEAR_AREA && Math.abs(seenArea) >= COLLINEAR_AREA && area > 0 === seenArea > 0;
}

/** Twice the area of a triangle of the sample, positive one way round. */
function signedArea(points: Float64Array, sample: Int32Array, i: number, j: number, k: number): number {
  const a = 2 * sample[i]!;
  const b = 2 * sample[j]!;
  const c = 2 * sample[k]!;
  const ax = points[a]!;
  const ay = points[a + 1]!;
  return (points[b]! - ax) * (points[c + 1]! - ay) - (points[b + 1]! - ay) * (points[c]! - ax);
}

/**
 * Least-squares homography (direct linear transform in Hartley's normalised coordinates).
 *
 * The equations of one pair repeat the same products, so sums of 23 products per pair make up the whole normal matrix.
 *
 * @param weights one per pair, not negative
 * @returns row-major 3 x 3, goal to current, positive depth at the centre of the goal points; null when the pairs do not
 *   determine it
 */
export function solveWeightedHomography(
  count: number,
  goal: Float64Array,
  current: Float64Array,
  weights: Float64Array,
): Float64Array | null {
  const from = normalisation(count, goal, weights);
  const to = normalisation(count, current, weights);
  if (from === null || to === null) return null;
  let [s, sx, sy, sxx, sxy, syy] = [0, 0, 0, 0, 0, 0];
  let [u1, ux, uy, uxx, uxy, uyy] = [0, 0, 0, 0, 0, 0];
  let [v1, vx, vy, vxx, vxy, vyy] = [0, 0, 0, 0, 0, 0];
  let [qx, qy, qxx, qxy, qyy] = [0, 0, 0, 0, 0];
  for (let pair = 0; pair < count; pair++) {
    const weight = weights[pair]!;
    if (weight === 0) continue;
    const x = (goal[2 * pair]! - from.x) * from.scale;
    const y = (goal[2 * pair + 1]! - from.y) * from.scale;
    const u = (current[2 * pair]! - to.x) * to.scale;
    const v = (current[2 * pair + 1]! - to.y) * to.scale;
    const wx = weight * x;
    const wy = weight * y;
    const wxx = wx * x;
    const wxy = wx * y;
    const wyy = wy * y;
    const square = u * u + v * v;
    s += weight;
    sx += wx;
    sy += wy;
    sxx += wxx;
    sxy += wxy;
    syy += wyy;
    u1 += weight * u;
    ux += wx * u;
    uy += wy * u;
    uxx += wxx * u;
    uxy += wxy * u;
    uyy += wyy * u;
    v1 += weight * v;
    vx += wx * v;
    vy += wy * v;
    vxx += wxx * v;
    vxy += wxy * v;
    vyy += wyy * v;
    qx += wx * square;
    qy += wy * square;
    qxx += wxx * square;
    qxy += wxy * square;
    qyy += wyy * square;
  }
  // Upper triangle only. Unknowns: the three of u's numerator, the three of v's, the two of the denominator.
  const normal = Float64Array.of(
    ...[sxx, sxy, sx, 0, 0, 0, -uxx, -uxy],
    ...[0, syy, sy, 0, 0, 0, -uxy, -uyy],
    ...[0, 0, s, 0, 0, 0, -ux, -uy],
    ...[0, 0, 0, sxx, sxy, sx, -vxx, -vxy],
    ...[0, 0, 0, 0, syy, sy, -vxy, -vyy],
    ...[0, 0, 0, 0, 0, s, -vx, -vy],
    ...[0, 0, 0, 0, 0, 0, qxx, qxy],
    ...[0, 0, 0, 0, 0, 0, 0, qyy],
  );
  const h = solvePositiveDefinite(normal, Float64Array.of(ux, uy, u1, vx, vy, v1, -qx, -qy));
  return h?.length === UNKNOWNS ? denormalise(h, from, to) : null;
}

interface Normalisation {
  x: number;
  y: number;
  scale: number;
}

/** Centroid and scale that bring the points to the origin with a mean square distance of 2; null when they coincide. */
function normalisation(count: number, points: Float64Array, weights: Float64Array): Normalisation | null {
  let total = 0;
  let x = 0;
  let y = 0;
  let square = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[i]!;
    total += weight;
    x += weight * points[2 * i]!;
    y += weight * points[2 * i + 1]!;
  }
  x /= total;
  y /= total;
  for (let i = 0; i < count; i++) {
    square += weights[i]! * ((points[2 * i]! - x) ** 2 + (points[2 * i + 1]! - y) ** 2);
  }
  const scale = Math.sqrt((2 * total) / square);
  return Number.isFinite(scale) ? { x, y, scale } : null;
}

/** inverse(to) * [h 1] * from, scaled so that goal points in front of the camera get a positive depth. */
function denormalise(h: Float64Array, from: Normalisation, to: Normalisation): Float64Array {
  const matrix = new Float64Array(9);
  for (let row = 2; row >= 0; row--) {
    const a = h[3 * row]!;
    const b = h[3 * row + 1]!;
    const c = row === 2 ? 1 : h[3 * row + 2]!;
    const shift = row === 2 ? 0 : row === 0 ? to.x : to.y;
    const scale = row === 2 ? 1 : 1 / to.scale;
    matrix[3 * row] = a * from.scale * scale + shift * matrix[6]!;
    matrix[3 * row + 1] = b * from.scale * scale + shift * matrix[7]!;
    matrix[3 * row + 2] = (c - from.scale * (a * from.x + b * from.y)) * scale + shift * matrix[8]!;
  }
  return matrix;
}
