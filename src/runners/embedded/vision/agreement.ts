import type { FrameProblem, Intrinsics } from '../../runner.port.js';
import {
  countPlaces,
  logAccidents,
  logFalseAlarms,
  MAXIMUM_LOG_FALSE_ALARMS,
  type ModelChance,
} from './consensus-chance.js';
import type { Keypoints } from './features.js';
import { fitHomography, squaredTransferErrors, type HomographyFit, type PointPairs } from './homography.js';
import { NO_PAIRS, type WeightedPairs } from './observation.js';
import { goalOnPlane, goalOnRelief } from './predicted-pairs.js';
import { findRelief, type Relief } from './relief.js';
import { spread } from './spread.js';

/** Fewest matches that can determine a velocity. */
export const MINIMUM_POINTS = 4;
/** Keypoints nearer to each other than this are not independent. */
const PLACE_SIZE_PX = 8;
const INLIER_THRESHOLD_PX = 3;
/** Points whose narrow extent is below the inlier threshold lie on a line as far as one can tell. */
const MINIMUM_SPREAD_PX = 3;
/** Fewer matches than this cannot show that a scene is no plane. */
const MINIMUM_RELIEF = 12;
/** Misfits within this share of the frame's width come from depth more often than from wrong matches. */
const NEAR_MISS_SHARE = 0.1;
/** Samples of five pairs; enough for 40 % of agreeing pairs. */
const RELIEF_SAMPLES = 300;

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
 * Separates matches that one motion of the camera explains from those it does not. A plane explains most scenes and is
 * tried first; where its misfits look like depth, the essential matrix decides.
 *
 * @param goal all keypoints of the goal frame, matched or not
 * @param frame size of the current frame
 */
export function agree(pairs: PointPairs, goal: Keypoints, frame: FrameSize, intrinsics: Intrinsics): Agreement {
  const none = new Uint8Array(pairs.count);
  if (pairs.count < MINIMUM_POINTS) return refused('too-few-matches', none);
  if (isNarrow(pairs, null)) return refused('degenerate-geometry', none);
  const plane = fitHomography(pairs, INLIER_THRESHOLD_PX);
  const isPlaneEvident = plane !== null && isPlaneEvidence(pairs, plane.inliers, frame);
  const relief = reliefOf(pairs, isPlaneEvident ? plane : null, frame, intrinsics);
  if (relief !== null) {
    if (isNarrow(pairs, relief.inliers)) return refused('degenerate-geometry', relief.inliers);
    return { inliers: relief.inliers, weighted: goalOnRelief(pairs, relief, goal, frame, intrinsics), problem: null };
  }
  if (plane === null) return refused('too-few-inliers', none);
  if (!isPlaneEvident) return refused('too-few-inliers', plane.inliers);
  if (isNarrow(pairs, plane.inliers)) return refused('degenerate-geometry', plane.inliers);
  return { inliers: plane.inliers, weighted: goalOnPlane(plane.matrix, goal, frame), problem: null };
}

/** The scene as a relief, where that is more than an accident; null where a plane is as good an explanation. */
function reliefOf(
  pairs: PointPairs,
  plane: HomographyFit | null,
  frame: FrameSize,
  intrinsics: Intrinsics,
): Relief | null {
  if (pairs.count < MINIMUM_RELIEF) return null;
  const samples = plane !== null && !hasNearMisses(pairs, plane, frame) ? 0 : RELIEF_SAMPLES;
  const relief = findRelief(pairs, plane, { intrinsics, threshold: INLIER_THRESHOLD_PX, samples });
  if (relief === null) return null;
  const { width, height } = frame;
  const chance = Math.min((2 * INLIER_THRESHOLD_PX * Math.hypot(width, height)) / (width * height), 1);
  if (!isEvidence(pairs, relief.inliers, { sampleSize: 5, models: 10, chance })) return null;
  return plane === null || relief.inlierCount > plane.inlierCount * 0.9 ? relief : null;
}

/** Whether more pairs miss the plane by a little than wrong matches would. */
function hasNearMisses(pairs: PointPairs, { matrix }: HomographyFit, { width, height }: FrameSize): boolean {
  const errors = new Float64Array(pairs.count);
  squaredTransferErrors(matrix, pairs, errors);
  const reach = NEAR_MISS_SHARE * width;
  const noise = 2 * INLIER_THRESHOLD_PX;
  let near = 0;
  let all = 0;
  for (const error of errors) {
    if (error <= noise * noise) continue;
    all++;
    if (error <= reach * reach) near++;
  }
  return logAccidents(near, all, (Math.PI * reach * reach) / (width * height)) < MAXIMUM_LOG_FALSE_ALARMS;
}

function refused(problem: FrameProblem, inliers: Uint8Array): Agreement {
  return { inliers, weighted: NO_PAIRS, problem };
}

/** Whether the points lie on a line, or in one place, in either frame. */
function isNarrow({ goal, current }: PointPairs, inliers: Uint8Array | null): boolean {
  return Math.min(spread(goal, inliers), spread(current, inliers)) < MINIMUM_SPREAD_PX;
}

function isPlaneEvidence(pairs: PointPairs, inliers: Uint8Array, { width, height }: FrameSize): boolean {
  const chance = Math.min((Math.PI * INLIER_THRESHOLD_PX ** 2) / (width * height), 1);
  return isEvidence(pairs, inliers, { sampleSize: 4, models: 1, chance });
}

/** Whether the inliers agree more than wrong matches would by accident. */
function isEvidence({ count, goal, current }: PointPairs, inliers: Uint8Array, model: ModelChance): boolean {
  const places = Math.min(countPlaces(goal, inliers, PLACE_SIZE_PX), countPlaces(current, inliers, PLACE_SIZE_PX));
  return logFalseAlarms(places, count, model) < MAXIMUM_LOG_FALSE_ALARMS;
}
