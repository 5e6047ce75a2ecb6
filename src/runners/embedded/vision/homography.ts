import { Sampler } from './consensus.js';
import { solveFourPoints, solveWeightedHomography } from './homography-solver.js';
import { robustSigma, tukeyWeight } from './robust-scale.js';

const SAMPLE_SIZE = 4;
const MAXIMUM_ITERATIONS = 3000;
const LOCAL_ROUNDS = 2;
const REFINEMENTS = 10;
/** Further rounds of the refinement that move no weight by more than this change nothing that matters. */
const SETTLED = 1e-4;

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
  /** Standard deviation of one coordinate of the inliers' transfer errors, pixels. */
  sigma: number;
}

/**
 * Homography that most pairs agree with: RANSAC (Fischler & Bolles 1981) with the truncated-error score of MSAC (Torr &
 * Zisserman 2000) and local optimisation of each best sample (Chum, Matas & Kittler 2003), then iteratively reweighted
 * least squares on the transfer error. Seeded: same input, same result.
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
  const sampler = new Sampler(pairs.count, SAMPLE_SIZE);
  const limit = threshold * threshold;
  const errors = new Float64Array(pairs.count);
  const weights = new Float64Array(pairs.count);
  const candidate = new Float64Array(9);
  let best: Float64Array | null = null;
  let bestCost = Infinity;
  let iterations = MAXIMUM_ITERATIONS;
  for (let i = 0; i < iterations; i++) {
    sampler.draw();
    if (!solveFourPoints(pairs.goal, pairs.current, sampler.sample, candidate)) continue;
    let cost = costBelow(candidate, pairs, limit, bestCost);
    if (cost >= bestCost) continue;
    best = candidate.slice();
    bestCost = cost;
    for (let round = 0; round < LOCAL_ROUNDS; round++) {
      squaredTransferErrors(best, pairs, errors);
      for (let pair = 0; pair < pairs.count; pair++) {
        weights[pair] = errors[pair]! <= limit ? 1 / squaredDepth(best, pairs.goal, pair) : 0;
      }
      const optimised = solveWeightedHomography(pairs.count, pairs.goal, pairs.current, weights);
      if (optimised === null) break;
      cost = costBelow(optimised, pairs, limit, bestCost);
      if (cost >= bestCost) break;
      best = optimised;
      bestCost = cost;
    }
    squaredTransferErrors(best, pairs, errors);
    let inliers = 0;
    for (const error of errors) if (error <= limit) inliers++;
    iterations = Math.min(iterations, sampler.needed(inliers / pairs.count));
  }
  return best;
}

/** Sum of the truncated errors; as soon as it reaches `bound`, some value not below it. */
function costBelow(matrix: Float64Array, { count, goal, current }: PointPairs, limit: number, bound: number): number {
  const [a, b, c, d, e, f, g, h, i] = matrix as unknown as number[];
  let cost = 0;
  for (let pair = 0; pair < count && cost < bound; pair++) {
    const x = goal[2 * pair]!;
    const y = goal[2 * pair + 1]!;
    const depth = g! * x + h! * y + i!;
    if (!(depth > 0)) {
      cost += limit;
      continue;
    }
    const dx = (a! * x + b! * y + c!) / depth - current[2 * pair]!;
    const dy = (d! * x + e! * y + f!) / depth - current[2 * pair + 1]!;
    const error = dx * dx + dy * dy;
    cost += error < limit ? error : limit;
  }
  return cost;
}

function refineHomography(pairs: PointPairs, sampled: Float64Array, threshold: number): HomographyFit {
  const scratch = new Float64Array(pairs.count);
  let fit = assessHomography(pairs, sampled, threshold);
  for (let round = 0; round < REFINEMENTS; round++) {
    // Divided by the squared depth, the algebraic error that least squares minimises becomes the transfer error.
    for (let pair = 0; pair < pairs.count; pair++) {
      const weight = fit.weights[pair]!;
      scratch[pair] = weight === 0 ? 0 : weight / squaredDepth(fit.matrix, pairs.goal, pair);
    }
    const matrix = solveWeightedHomography(pairs.count, pairs.goal, pairs.current, scratch);
    if (matrix === null) return fit;
    const next = assessHomography(pairs, matrix, threshold);
    if (next.inlierCount < fit.inlierCount * 0.9) return fit;
    const isSettled = next.weights.every((weight, pair) => Math.abs(weight - fit.weights[pair]!) < SETTLED);
    fit = next;
    if (isSettled) break;
  }
  return fit;
}

/** Inliers and their weights under a given homography. */
export function assessHomography(pairs: PointPairs, matrix: Float64Array, threshold: number): HomographyFit {
  const { count } = pairs;
  const limit = threshold * threshold;
  const errors = new Float64Array(count);
  squaredTransferErrors(matrix, pairs, errors);
  const inliers = new Uint8Array(count);
  const lengths = new Float64Array(count);
  let inlierCount = 0;
  for (let pair = 0; pair < count; pair++) {
    if (errors[pair]! > limit) continue;
    inliers[pair] = 1;
    lengths[inlierCount++] = Math.sqrt(errors[pair]!);
  }
  const sigma = robustSigma(lengths, inlierCount, 2);
  const weights = new Float64Array(count);
  for (let pair = 0; pair < count; pair++) {
    if (inliers[pair] === 1) weights[pair] = tukeyWeight(errors[pair]!, sigma);
  }
  return { matrix, inliers, inlierCount, weights, sigma };
}

function squaredDepth(matrix: Float64Array, goal: Float64Array, pair: number): number {
  const depth = matrix[6]! * goal[2 * pair]! + matrix[7]! * goal[2 * pair + 1]! + matrix[8]!;
  return depth * depth;
}

/** Squared distances in pixels between current points and where the homography puts their goal points; Infinity behind the camera. */
export function squaredTransferErrors(
  matrix: Float64Array,
  { count, goal, current }: PointPairs,
  errors: Float64Array,
): void {
  for (let pair = 0; pair < count; pair++) {
    const x = goal[2 * pair]!;
    const y = goal[2 * pair + 1]!;
    const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
    const dx = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth - current[2 * pair]!;
    const dy = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth - current[2 * pair + 1]!;
    errors[pair] = depth > 0 ? dx * dx + dy * dy : Infinity;
  }
}
