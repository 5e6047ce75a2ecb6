import type { FrameProblem } from '../../runner.port.js';
import { countPlaces, logFalseAlarms } from './consensus-chance.js';
import type { Keypoints } from './features.js';
import { fitHomography, type PointPairs } from './homography.js';
import { NO_PAIRS, type WeightedPairs } from './observation.js';
import { withPredictedPairs } from './predicted-pairs.js';
import { spread } from './spread.js';

/** Fewest matches that can determine a velocity. */
export const MINIMUM_POINTS = 4;
/** Agreement that accident would bring about more often than once in 10^4 frames is no agreement. */
const MAXIMUM_LOG_FALSE_ALARMS = -4;
/** Keypoints nearer to each other than this are not independent. */
const PLACE_SIZE_PX = 8;
const INLIER_THRESHOLD_PX = 3;
/** Points whose narrow extent is below the inlier threshold lie on a line as far as one can tell. */
const MINIMUM_SPREAD_PX = 3;

export interface FrameSize {
  width: number;
  height: number;
}

/** Which matches agree on one motion of the camera, and how far each is to be trusted. */
export interface Agreement {
  /** 1 for each pair that agrees with the others. */
  inliers: Uint8Array;
  /** Empty when `problem` is set. */
  weighted: WeightedPairs;
  problem: FrameProblem | null;
}

/**
 * Separates matches that one motion of the camera explains from those it does not.
 *
 * @param goal all keypoints of the goal frame, matched or not
 * @param frame size of the current frame
 */
export function agree(pairs: PointPairs, goal: Keypoints, frame: FrameSize): Agreement {
  const none = new Uint8Array(pairs.count);
  if (pairs.count < MINIMUM_POINTS) return refused('too-few-matches', none);
  if (isNarrow(pairs, null)) return refused('degenerate-geometry', none);
  const fit = fitHomography(pairs, INLIER_THRESHOLD_PX);
  if (fit === null) return refused('too-few-inliers', none);
  const { inliers } = fit;
  if (!isEvidence(pairs, inliers, frame)) return refused('too-few-inliers', inliers);
  if (isNarrow(pairs, inliers)) return refused('degenerate-geometry', inliers);
  return { inliers, weighted: withPredictedPairs(pairs, fit, goal, frame), problem: null };
}

function refused(problem: FrameProblem, inliers: Uint8Array): Agreement {
  return { inliers, weighted: NO_PAIRS, problem };
}

/** Whether the points lie on a line, or in one place, in either frame. */
function isNarrow({ goal, current }: PointPairs, inliers: Uint8Array | null): boolean {
  return Math.min(spread(goal, inliers), spread(current, inliers)) < MINIMUM_SPREAD_PX;
}

/** Whether the inliers agree more than wrong matches would by accident. */
function isEvidence({ count, goal, current }: PointPairs, inliers: Uint8Array, { width, height }: FrameSize): boolean {
  const places = Math.min(countPlaces(goal, inliers, PLACE_SIZE_PX), countPlaces(current, inliers, PLACE_SIZE_PX));
  const chance = Math.min((Math.PI * INLIER_THRESHOLD_PX ** 2) / (width * height), 1);
  return logFalseAlarms(places, count, chance) < MAXIMUM_LOG_FALSE_ALARMS;
}
