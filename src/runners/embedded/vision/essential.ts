import type { RayPairs } from './camera-rays.js';
import { Sampler } from './consensus.js';
import { FivePointSolver } from './five-point.js';
import {
  epipolarCostBelow,
  essentialOf,
  poseOfEssential,
  refinePose,
  sigmaOfInliers,
  squaredEpipolarErrors,
  type RelativePose,
} from './relative-pose.js';

const SAMPLE_SIZE = 5;
const LOCAL_ROUNDS = 3;
const REFINEMENTS = 8;

export interface EssentialFit {
  pose: RelativePose;
  /** 1 where the epipolar error is within the threshold. */
  inliers: Uint8Array;
  inlierCount: number;
  /** Epipolar error of each pair, pixels: distance from what the pose allows, to first order, in both frames together. */
  errors: Float64Array;
  /** Standard deviation of the inliers' errors, pixels. */
  sigma: number;
}

export interface PoseSearchOptions {
  /**
   * Row-major homography of the rays, goal to current, that many of the pairs obey; null where there is none. The poses that
   * it allows are tried first, which in scenes with a large plane saves the search.
   */
  plane: Float64Array | null;
  /** Samples of five pairs, at most. */
  samples: number;
}

const solver = new FivePointSolver();

/**
 * Pose of the camera that most pairs agree with, whatever the shape of the scene: MSAC over samples of five pairs
 * (Nistér 2004) with local optimisation. Seeded: same input, same result.
 *
 * @param threshold pixels of epipolar error up to which a pair is an inlier
 * @returns null when no five pairs determine a pose
 */
export function findEssential(rays: RayPairs, threshold: number, options: PoseSearchOptions): EssentialFit | null {
  const pose = consensusPose(rays, threshold, options);
  return pose === null ? null : assess(rays, pose, threshold);
}

/** Iteratively reweighted least squares from a pose that is near. */
export function refineEssential(rays: RayPairs, { pose }: EssentialFit, threshold: number): EssentialFit {
  return assess(rays, refinePose(rays, pose, threshold, REFINEMENTS), threshold);
}

function consensusPose(rays: RayPairs, threshold: number, { plane, samples }: PoseSearchOptions): RelativePose | null {
  if (rays.count < SAMPLE_SIZE) return null;
  const search = new PoseSearch(rays, threshold);
  if (plane !== null) {
    const { goal, current } = pairsOfPlane(plane);
    search.consider(solver.solve(goal, current, Int32Array.of(0, 1, 2, 3, 4)));
  }
  const sampler = new Sampler(rays.count, SAMPLE_SIZE);
  for (let i = 0; i < Math.min(samples, sampler.needed(search.inlierShare)); i++) {
    sampler.draw();
    search.consider(solver.solve(rays.goal, rays.current, sampler.sample));
  }
  return search.pose;
}

/** The best pose so far, by the cost of its essential matrix. */
class PoseSearch {
  pose: RelativePose | null = null;
  inlierShare = 0;
  private cost = Infinity;
  private readonly limit: number;
  private readonly errors: Float64Array;
  private readonly inliers: Uint8Array;

  constructor(
    private readonly rays: RayPairs,
    private readonly threshold: number,
  ) {
    this.limit = threshold * threshold;
    this.errors = new Float64Array(rays.count);
    this.inliers = new Uint8Array(rays.count);
  }

  /** Takes the best of the solutions of one sample, where it is better than any before. */
  consider(essentials: readonly Float64Array[]): void {
    let best: Float64Array | null = null;
    let bestCost = this.cost;
    for (const essential of essentials) {
      const cost = epipolarCostBelow(essential, this.rays, this.limit, bestCost);
      if (cost >= bestCost) continue;
      best = essential;
      bestCost = cost;
    }
    if (best === null) return;
    this.markInliers(best);
    const pose = poseOfEssential(best, this.rays, this.inliers);
    if (pose === null) return;
    this.pose = pose;
    this.cost = bestCost;
    this.optimise(pose);
  }

  private optimise(start: RelativePose): void {
    const pose = refinePose(this.rays, start, this.threshold, LOCAL_ROUNDS);
    const essential = essentialOf(pose);
    const cost = epipolarCostBelow(essential, this.rays, this.limit, this.cost);
    if (cost >= this.cost) return;
    this.pose = pose;
    this.cost = cost;
    this.markInliers(essential);
  }

  private markInliers(essential: Float64Array): void {
    squaredEpipolarErrors(essential, this.rays, this.errors);
    let count = 0;
    for (let pair = 0; pair < this.rays.count; pair++) {
      this.inliers[pair] = this.errors[pair]! <= this.limit ? 1 : 0;
      count += this.inliers[pair]!;
    }
    this.inlierShare = count / this.rays.count;
  }
}

/** Five rays spread over the view, and where a homography of the rays puts them. */
function pairsOfPlane(plane: Float64Array): Pick<RayPairs, 'goal' | 'current'> {
  const goal = Float64Array.of(-0.3, -0.2, 0.32, -0.24, 0.28, 0.22, -0.26, 0.25, 0.05, 0.02);
  const current = new Float64Array(goal.length);
  for (let i = 0; i < goal.length; i += 2) {
    const x = goal[i]!;
    const y = goal[i + 1]!;
    const depth = plane[6]! * x + plane[7]! * y + plane[8]!;
    current[i] = (plane[0]! * x + plane[1]! * y + plane[2]!) / depth;
    current[i + 1] = (plane[3]! * x + plane[4]! * y + plane[5]!) / depth;
  }
  return { goal, current };
}

function assess(rays: RayPairs, pose: RelativePose, threshold: number): EssentialFit {
  const squares = new Float64Array(rays.count);
  squaredEpipolarErrors(essentialOf(pose), rays, squares);
  const errors = squares.map(Math.sqrt);
  const inliers = new Uint8Array(rays.count);
  let inlierCount = 0;
  for (let pair = 0; pair < rays.count; pair++) {
    if (!(errors[pair]! <= threshold)) continue;
    inliers[pair] = 1;
    inlierCount++;
  }
  const sigma = sigmaOfInliers(squares, new Float64Array(rays.count), threshold);
  return { pose, inliers, inlierCount, errors, sigma };
}
