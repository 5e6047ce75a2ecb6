import type { FrameProblem } from '../../runner.port.js';
import type { PointPairs } from './homography.js';

/** Goal keypoints found again in a frame: one pair per match. */
export interface MatchedPairs extends PointPairs {
  /** Which of the goal's keypoints each pair belongs to, ascending. */
  goalIndex: Int32Array;
}

/** Pairs with the trust that each deserves. */
export interface WeightedPairs extends PointPairs {
  /** One per pair, not negative. */
  weights: Float64Array;
}

/**
 * What a frame shows of the goal, before any policy has seen it. Plain typed arrays, so that it can pass between threads.
 */
export interface Observation {
  /** Keypoints of the frame. */
  keypoints: number;
  matches: MatchedPairs;
  /** 1 for each match that agrees with the motion of the others; only these may decide the velocity. */
  inliers: Uint8Array;
  /** What a least-squares policy solves from: the inliers and what follows from them. Empty when `problem` is set. */
  weighted: WeightedPairs;
  /** Why the frame cannot lead to a velocity. */
  problem: FrameProblem | null;
}

export const NO_PAIRS: WeightedPairs = {
  count: 0,
  goal: new Float64Array(0),
  current: new Float64Array(0),
  weights: new Float64Array(0),
};

export const NO_MATCHES: MatchedPairs = {
  count: 0,
  goal: new Float64Array(0),
  current: new Float64Array(0),
  goalIndex: new Int32Array(0),
};

/** RMS distance in pixels of the inliers from their goal positions; null without inliers. */
export function featureErrorPx({ matches, inliers }: Pick<Observation, 'matches' | 'inliers'>): number | null {
  const { count, goal, current } = matches;
  let square = 0;
  let agreeing = 0;
  for (let i = 0; i < count; i++) {
    if (inliers[i] !== 1) continue;
    agreeing++;
    square += (goal[2 * i]! - current[2 * i]!) ** 2 + (goal[2 * i + 1]! - current[2 * i + 1]!) ** 2;
  }
  return agreeing === 0 ? null : Math.sqrt(square / agreeing);
}

export function countInliers(inliers: Uint8Array): number {
  let count = 0;
  for (const inlier of inliers) count += inlier;
  return count;
}
