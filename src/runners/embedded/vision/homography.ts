import { NormalEquations } from './linear-solver.js';
import { createRandom } from './random.js';

const SAMPLE_SIZE = 4;
const MAXIMUM_ITERATIONS = 3000;
/** Probability that at least one sample was free of outliers when the search stops. */
const CONFIDENCE = 0.9999;
const SEED = 0x5eed;
const REFINEMENTS = 10;
/** Tukey's biweight at this many standard deviations is 95 % efficient on Gaussian noise. */
const TUKEY_SIGMAS = 4.685;
/** Median length of a two-dimensional Gaussian error, in standard deviations of one coordinate. */
const MEDIAN_LENGTH_SIGMAS = 1.1774;
/** Keypoints are never located better than this, in pixels; keeps exact data from rejecting itself. */
const SMALLEST_SIGMA = 0.05;
/** Twice the area, in square pixels, below which three points count as collinear. */
const COLLINEAR_AREA = 4;

/** Matched positions in pixels, x0, y0, x1, y1, …; entry i of both shows the same spot. */
export interface PointPairs {
  count: number;
  goal: Float64Array;
  current: Float64Array;
}

export interface HomographyFit {
  /** Row-major 3 x 3, goal pixels to current pixels. */
  matrix: Float64Array;
  /** 1 where the transfer error is within the threshold. */
  inliers: Uint8Array;
  inlierCount: number;
  /** Between 0 and 1: how much each pair is to be trusted, by its transfer error against that of the others. 0 for outliers. */
  weights: Float64Array;
}

/**
 * Homography that most pairs agree with: RANSAC (Fischler & Bolles 1981) with the truncated-error score of MSAC (Torr &
 * Zisserman 2000), then iteratively reweighted least squares on the transfer error. Seeded: same input, same result.
 *
 * @param threshold pixels of transfer error (goal to current) up to which a pair is an inlier
 * @returns null when no four pairs span a homography that a camera could see
 */
export function fitHomography(pairs: PointPairs, threshold: number): HomographyFit | null {
  const sampled = consensusHomography(pairs, threshold);
  return sampled === null ? null : refineHomography(pairs, sampled, threshold);
}

function consensusHomography(pairs: PointPairs, threshold: number): Float64Array | null {
  if (pairs.count < SAMPLE_SIZE) return null;
  const random = createRandom(SEED);
  const limit = threshold * threshold;
  let best: Float64Array | null = null;
  let bestCost = Infinity;
  let iterations = MAXIMUM_ITERATIONS;
  for (let i = 0; i < iterations; i++) {
    const sample = drawSample(pairs.count, random);
    if (!isPlausibleSample(pairs, sample)) continue;
    const matrix = solveHomography(pairs, sample, null);
    if (matrix === null) continue;
    let cost = 0;
    let inliers = 0;
    for (let pair = 0; pair < pairs.count && cost < bestCost; pair++) {
      const error = squaredTransferError(matrix, pairs, pair);
      if (error <= limit) inliers++;
      cost += Math.min(error, limit);
    }
    if (cost >= bestCost) continue;
    best = matrix;
    bestCost = cost;
    iterations = Math.min(iterations, iterationsFor(inliers / pairs.count));
  }
  return best;
}

function iterationsFor(inlierShare: number): number {
  const cleanSample = inlierShare ** SAMPLE_SIZE;
  if (cleanSample >= 1) return 0;
  return Math.ceil(Math.log(1 - CONFIDENCE) / Math.log(1 - cleanSample));
}

function drawSample(count: number, random: () => number): number[] {
  const sample: number[] = [];
  while (sample.length < SAMPLE_SIZE) {
    const index = Math.floor(random() * count);
    if (!sample.includes(index)) sample.push(index);
  }
  return sample;
}

/** No three points in a line, and every triangle keeps its sense of rotation: a camera never sees a plane's back. */
function isPlausibleSample({ goal, current }: PointPairs, sample: number[]): boolean {
  for (let left = 0; left < SAMPLE_SIZE; left++) {
    const triangle = sample.filter((_, i) => i !== left);
    const goalArea = signedArea(goal, triangle);
    const currentArea = signedArea(current, triangle);
    if (Math.abs(goalArea) < COLLINEAR_AREA || Math.abs(currentArea) < COLLINEAR_AREA) return false;
    if (goalArea > 0 !== currentArea > 0) return false;
  }
  return true;
}

/** Twice the triangle's area, positive one way round. */
function signedArea(points: Float64Array, [a, b, c]: number[]): number {
  const ax = points[2 * a!]!;
  const ay = points[2 * a! + 1]!;
  return (points[2 * b!]! - ax) * (points[2 * c! + 1]! - ay) - (points[2 * b! + 1]! - ay) * (points[2 * c!]! - ax);
}

function refineHomography(pairs: PointPairs, sampled: Float64Array, threshold: number): HomographyFit {
  const all = Array.from({ length: pairs.count }, (_, i) => i);
  let fit = assess(pairs, sampled, threshold);
  for (let round = 0; round < REFINEMENTS; round++) {
    const matrix = solveHomography(pairs, all, transferWeights(fit, pairs));
    if (matrix === null) return fit;
    const next = assess(pairs, matrix, threshold);
    if (next.inlierCount < fit.inlierCount * 0.9) return fit;
    fit = next;
  }
  return fit;
}

/** Inliers and their weights under a given homography. */
function assess(pairs: PointPairs, matrix: Float64Array, threshold: number): HomographyFit {
  const errors = Float64Array.from({ length: pairs.count }, (_, i) =>
    Math.sqrt(squaredTransferError(matrix, pairs, i)),
  );
  const inliers = Uint8Array.from(errors, (error) => (error <= threshold ? 1 : 0));
  const inlierErrors = errors.filter((_, i) => inliers[i] === 1).sort();
  const median = inlierErrors[inlierErrors.length >> 1] ?? 0;
  const sigma = Math.max(median / MEDIAN_LENGTH_SIGMAS, SMALLEST_SIGMA);
  const cutOff = TUKEY_SIGMAS * sigma;
  const weights = errors.map((error, i) => (inliers[i] === 1 && error < cutOff ? (1 - (error / cutOff) ** 2) ** 2 : 0));
  return { matrix, inliers, inlierCount: inlierErrors.length, weights };
}

/** Divided by the squared depth of each point, the algebraic error that least squares minimises becomes the transfer error. */
function transferWeights({ matrix, weights }: HomographyFit, { goal }: PointPairs): Float64Array {
  return weights.map((weight, i) => {
    const depth = matrix[6]! * goal[2 * i]! + matrix[7]! * goal[2 * i + 1]! + matrix[8]!;
    return weight / (depth * depth);
  });
}

/** Squared distance in pixels between a current point and where the homography puts its goal point; Infinity behind the camera. */
function squaredTransferError(matrix: Float64Array, { goal, current }: PointPairs, pair: number): number {
  const x = goal[2 * pair]!;
  const y = goal[2 * pair + 1]!;
  const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
  if (!(depth > 0)) return Infinity;
  const dx = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth - current[2 * pair]!;
  const dy = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth - current[2 * pair + 1]!;
  return dx * dx + dy * dy;
}

/** Least-squares homography of the chosen pairs (direct linear transform in Hartley's normalised coordinates). */
function solveHomography(pairs: PointPairs, chosen: number[], weights: Float64Array | null): Float64Array | null {
  const from = normalisation(pairs.goal, chosen, weights);
  const to = normalisation(pairs.current, chosen, weights);
  if (from === null || to === null) return null;
  const equations = new NormalEquations(8);
  const row = new Float64Array(8);
  for (const pair of chosen) {
    const weight = weights === null ? 1 : weights[pair]!;
    if (weight === 0) continue;
    const x = (pairs.goal[2 * pair]! - from.x) * from.scale;
    const y = (pairs.goal[2 * pair + 1]! - from.y) * from.scale;
    const u = (pairs.current[2 * pair]! - to.x) * to.scale;
    const v = (pairs.current[2 * pair + 1]! - to.y) * to.scale;
    row.set([x, y, 1, 0, 0, 0, -u * x, -u * y]);
    equations.add(row, u, weight);
    row.set([0, 0, 0, x, y, 1, -v * x, -v * y]);
    equations.add(row, v, weight);
  }
  const solution = equations.solve();
  return solution === null ? null : denormalise(solution, from, to);
}

interface Normalisation {
  x: number;
  y: number;
  scale: number;
}

/** Centroid and scale that bring the chosen points to the origin with a mean square distance of 2; null when they coincide. */
function normalisation(points: Float64Array, chosen: number[], weights: Float64Array | null): Normalisation | null {
  let total = 0;
  let x = 0;
  let y = 0;
  let square = 0;
  for (const index of chosen) {
    const weight = weights === null ? 1 : weights[index]!;
    total += weight;
    x += weight * points[2 * index]!;
    y += weight * points[2 * index + 1]!;
  }
  x /= total;
  y /= total;
  for (const index of chosen) {
    const weight = weights === null ? 1 : weights[index]!;
    square += weight * ((points[2 * index]! - x) ** 2 + (points[2 * index + 1]! - y) ** 2);
  }
  const scale = Math.sqrt((2 * total) / square);
  return Number.isFinite(scale) ? { x, y, scale } : null;
}

/** inverse(to) * [h 1] * from, scaled so that goal points in front of the camera get a positive depth. */
function denormalise(h: Float64Array, from: Normalisation, to: Normalisation): Float64Array {
  const rows = [h.subarray(0, 3), h.subarray(3, 6), Float64Array.of(h[6]!, h[7]!, 1)] as const;
  const [first, second, third] = rows.map(([a, b, c]) => [
    a! * from.scale,
    b! * from.scale,
    c! - from.scale * (a! * from.x + b! * from.y),
  ]) as [number[], number[], number[]];
  return Float64Array.from([
    ...first.map((value, i) => value / to.scale + to.x * third[i]!),
    ...second.map((value, i) => value / to.scale + to.y * third[i]!),
    ...third,
  ]);
}
