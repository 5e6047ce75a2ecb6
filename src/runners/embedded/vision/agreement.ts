import type { FrameProblem, Intrinsics } from '../../runner.port.js';
import {
  countPlaces,
  logAccidents,
  logFalseAlarms,
  MAXIMUM_LOG_FALSE_ALARMS,
  type ModelChance,
} from './consensus-chance.js';
import { fitHomography, squaredTransferErrors, type HomographyFit, type PointPairs } from './homography.js';
import { NO_PAIRS, type WeightedPairs } from './observation.js';
import { pairsOffPlane } from './pairs-off-plane.js';
import { goalOnPlane, goalOnRelief } from './predicted-pairs.js';
import { findRelief, type Relief } from './relief.js';
import { spread } from './spread.js';
import type { TwoFrames } from './two-frames.js';

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

interface FrameSize {
  width: number;
  height: number;
}

interface ReliefTerms {
  frame: FrameSize;
  intrinsics: Intrinsics;
  /** The first so many pairs are matches of descriptors. */
  matches: number;
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
 * tried first; where its misfits look like depth, or keypoints are not where it puts them but beside, the essential matrix
 * decides.
 */
export function agree(pairs: PointPairs, frames: TwoFrames, intrinsics: Intrinsics): Agreement {
  const { goal, frame } = frames;
  const none = new Uint8Array(pairs.count);
  if (pairs.count < MINIMUM_POINTS) return refused('too-few-matches', none);
  if (isNarrow(pairs, null)) return refused('degenerate-geometry', none);
  const plane = fitHomography(pairs, INLIER_THRESHOLD_PX);
  const isPlaneEvident = plane !== null && isPlaneEvidence(pairs, plane.inliers, frame);
  const evidentPlane = isPlaneEvident ? plane : null;
  const search = { frame, intrinsics, matches: pairs.count };
  const relief = reliefOf(pairs, evidentPlane, search) ?? reliefBesidePlane(pairs, evidentPlane, frames, search);
  if (relief !== null) {
    const inliers = relief.inliers.subarray(0, pairs.count);
    if (isNarrow(relief.pairs, relief.inliers)) return refused('degenerate-geometry', inliers);
    return { inliers, weighted: goalOnRelief(relief, frames, intrinsics), problem: null };
  }
  if (plane === null) return refused('too-few-inliers', none);
  if (!isPlaneEvident) return refused('too-few-inliers', plane.inliers);
  if (isNarrow(pairs, plane.inliers)) return refused('degenerate-geometry', plane.inliers);
  return { inliers: plane.inliers, weighted: goalOnPlane(plane.matrix, goal.keypoints, frame), problem: null };
}

/** The scene as a relief, where that is more than an accident; null where a plane is as good an explanation. */
function reliefOf(
  pairs: PointPairs,
  plane: HomographyFit | null,
  { frame, intrinsics, matches }: ReliefTerms,
): Relief | null {
  if (pairs.count < MINIMUM_RELIEF) return null;
  const samples = plane !== null && !hasNearMisses(pairs, plane, frame) ? 0 : RELIEF_SAMPLES;
  const relief = findRelief(pairs, plane, { intrinsics, threshold: INLIER_THRESHOLD_PX, samples, matches });
  if (relief === null) return null;
  const { width, height } = frame;
  const chance = Math.min((2 * INLIER_THRESHOLD_PX * Math.hypot(width, height)) / (width * height), 1);
  if (!isEvidence(pairs, relief.inliers, { sampleSize: 5, models: 10, chance })) return null;
  return plane === null || relief.inlierCount > plane.inlierCount * 0.9 ? relief : null;
}

/** The same where too few matches tell: with the keypoints besides that the frame shows elsewhere than on the plane. */
function reliefBesidePlane(
  pairs: PointPairs,
  plane: HomographyFit | null,
  frames: TwoFrames,
  terms: ReliefTerms,
): Relief | null {
  if (plane === null) return null;
  const found = pairsOffPlane(pairs, plane, frames, NEAR_MISS_SHARE * frames.frame.width);
  if (found.count === 0) return null;
  const all = {
    count: pairs.count + found.count,
    goal: joined(pairs.goal, found.goal),
    current: joined(pairs.current, found.current),
  };
  return reliefOf(all, plane, terms);
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const all = new Float64Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
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
