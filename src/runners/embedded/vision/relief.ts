import type { Intrinsics } from '../../runner.port.js';
import { toRays } from './camera-rays.js';
import { countPlaces, logAccidents, MAXIMUM_LOG_FALSE_ALARMS } from './consensus-chance.js';
import { findEssential, refineEssential, type EssentialFit } from './essential.js';
import { squaredTransferErrors, type HomographyFit, type PointPairs } from './homography.js';
import { NeighbourGrid } from './neighbour-grid.js';
import { inverseDepths, type InverseDepths, type RelativePose } from './relative-pose.js';

/** Neighbours asked whether they confirm a depth, and how many have to. */
const NEIGHBOURS = 9;
const SUPPORTERS = 2;
/** Keypoints nearer to each other than this are not independent. */
const PLACE_SIZE_PX = 8;
/** Parallaxes of neighbours may differ by this share: surfaces are seldom parallel to the image. */
const PARALLAX_SHARE = 0.1;
/** What seems to be nearer to the camera than the middle of the scene by more than this factor moves by itself. */
const LARGEST_NEARNESS = 10;
/** Misfits beyond this many standard deviations of a plane's inliers ask for an explanation. */
const MISFIT_SIGMAS = 3;
/** Epipolar errors of true pairs keep within this many standard deviations. */
const EPIPOLAR_SIGMAS = 2.5;
/** How much nearer to the epipolar lines pairs may come, as a factor, when a pose is refined. */
const UNREFINED_LATITUDE = 2;

/** A static scene of any shape. */
export interface Relief {
  /** Those it was found in. */
  pairs: PointPairs;
  /** 1 for the pairs that the camera's motion explains, at a depth that neighbours confirm. */
  inliers: Uint8Array;
  inlierCount: number;
  pose: RelativePose;
  /** 1 / depth of each pair's point in the goal camera, in units of the way between the cameras. */
  inverseDepth: Float64Array;
}

export interface ReliefSearch {
  intrinsics: Intrinsics;
  /** Pixels of epipolar error up to which a pair may be an inlier. */
  threshold: number;
  /** Samples of five pairs to try, at most, beside what the plane suggests. */
  samples: number;
  /** The first so many pairs are matches of descriptors; those after them were recognised by what they look like. */
  matches: number;
}

/**
 * The static scene without the assumption that it is a plane: pairs that the epipolar geometry allows, in front of both
 * cameras, at a depth that neighbours confirm. An epipolar line crosses the whole picture, so that it alone would let in one
 * wrong pair in a hundred, anywhere along the line; a neighbourhood lets in hardly any.
 *
 * @param plane what the best homography explains; null where there is none
 * @returns null when the pairs do not determine how the camera moved, and when the plane explains them as well: were it
 *   true, its misfits would point along the epipolar lines as often by accident
 */
export function findRelief(
  pairs: PointPairs,
  plane: HomographyFit | null,
  { intrinsics, threshold, samples, matches }: ReliefSearch,
): Relief | null {
  const misfits = plane === null ? null : new Misfits(pairs, plane);
  if (misfits?.areFew() === true) return null;
  const rays = toRays(pairs, intrinsics);
  const suggestion = plane === null ? null : homographyOfRays(plane.matrix, intrinsics);
  const found = findEssential(rays, threshold, { plane: suggestion, samples });
  if (found === null || misfits?.areAligned(found, found.inliers, UNREFINED_LATITUDE) === false) return null;
  const fit = refineEssential(rays, found, threshold);
  if (misfits?.areAligned(fit, fit.inliers) === false) return null;
  const depths = inverseDepths(fit.pose, rays);
  const inliers = confirmedPairs(pairs, fit, depths, { threshold, matches });
  if (misfits?.areAligned(fit, inliers) === false) return null;
  return {
    pairs,
    inliers,
    inlierCount: inliers.reduce((sum, inlier) => sum + inlier, 0),
    pose: fit.pose,
    inverseDepth: depths.inverse,
  };
}

/** The homography of pixels as one of rays: inverse(K) H K. */
function homographyOfRays(matrix: Float64Array, { fx, fy, cx, cy }: Intrinsics): Float64Array {
  const rays = new Float64Array(9);
  for (let row = 0; row < 3; row++) {
    const [a, b, c] = [matrix[3 * row]!, matrix[3 * row + 1]!, matrix[3 * row + 2]!];
    rays.set([a * fx, b * fy, a * cx + b * cy + c], 3 * row);
  }
  for (let column = 0; column < 3; column++) {
    rays[column] = (rays[column]! - cx * rays[6 + column]!) / fx;
    rays[3 + column] = (rays[3 + column]! - cy * rays[6 + column]!) / fy;
  }
  return rays;
}

function confirmedPairs(
  pairs: PointPairs,
  fit: EssentialFit,
  { inverse, gain }: InverseDepths,
  { threshold, matches }: Pick<ReliefSearch, 'threshold' | 'matches'>,
): Uint8Array {
  const candidates = new Uint8Array(pairs.count);
  const nearness: number[] = [];
  for (let pair = 0; pair < pairs.count; pair++) {
    // Points far away may come out behind the camera by as much as noise moves them.
    if (fit.inliers[pair] === 0 || !(inverse[pair]! * gain[pair]! > -threshold)) continue;
    candidates[pair] = 1;
    nearness.push(inverse[pair]!);
  }
  const middle = nearness.sort((a, b) => a - b)[nearness.length >> 1] ?? 0;
  for (let pair = 0; pair < pairs.count; pair++) {
    const limit = LARGEST_NEARNESS * Math.max(middle, 0) + threshold / gain[pair]!;
    if (candidates[pair] === 1 && inverse[pair]! > limit) candidates[pair] = 0;
  }
  const grid = new NeighbourGrid(pairs.goal, candidates);
  const neighbours = new Int32Array(NEIGHBOURS);
  const distances = new Float64Array(NEIGHBOURS);
  const confirmed = new Uint8Array(pairs.count);
  for (let pair = 0; pair < pairs.count; pair++) {
    if (candidates[pair] === 0) continue;
    if (pair >= matches) {
      confirmed[pair] = 1;
      continue;
    }
    const found = grid.nearest(pairs.goal[2 * pair]!, pairs.goal[2 * pair + 1]!, neighbours, distances);
    const tolerance = threshold + PARALLAX_SHARE * Math.abs(inverse[pair]!) * gain[pair]!;
    let supporters = 0;
    for (let i = 0; i < found; i++) {
      if (distances[i]! < PLACE_SIZE_PX ** 2) continue;
      if (Math.abs(inverse[neighbours[i]!]! - inverse[pair]!) * gain[pair]! <= tolerance) supporters++;
    }
    if (supporters >= SUPPORTERS) confirmed[pair] = 1;
  }
  return confirmed;
}

/**
 * The pairs that a plane does not explain. Were the scene a plane, they would point in any direction; those of a relief lie
 * along the epipolar lines.
 */
class Misfits {
  /** Indices of the pairs, and by how many pixels each misses the plane. */
  private readonly indices: Int32Array;
  private readonly errors: Float64Array;

  constructor(
    private readonly pairs: PointPairs,
    private readonly plane: HomographyFit,
  ) {
    const errors = new Float64Array(pairs.count);
    squaredTransferErrors(plane.matrix, pairs, errors);
    const indices = new Int32Array(pairs.count);
    let count = 0;
    for (let pair = 0; pair < pairs.count; pair++) {
      const error = Math.sqrt(errors[pair]!);
      if (!(error > MISFIT_SIGMAS * plane.sigma)) continue;
      indices[count] = pair;
      errors[count++] = error;
    }
    this.indices = indices.subarray(0, count);
    this.errors = errors.subarray(0, count);
  }

  /** Whether they would be no evidence even if all of them lay along the epipolar lines. */
  areFew(): boolean {
    const { length } = this.indices;
    const chance = this.chance(EPIPOLAR_SIGMAS * this.plane.sigma);
    return length === 0 || !(logAccidents(length, length, chance) < MAXIMUM_LOG_FALSE_ALARMS);
  }

  /**
   * Whether more of them than by accident lie along the epipolar lines.
   * @param chosen 1 for the pairs that may be evidence
   * @param latitude factor by which they may lie farther from the lines than they will when the fit is refined
   */
  areAligned(fit: EssentialFit, chosen: Uint8Array, latitude = 1): boolean {
    const { indices, pairs } = this;
    const along = new Uint8Array(pairs.count);
    const tolerance = EPIPOLAR_SIGMAS * fit.sigma;
    let aligned = 0;
    for (const pair of indices) {
      if (chosen[pair] === 0 || fit.errors[pair]! > latitude * tolerance) continue;
      along[pair] = 1;
      aligned++;
    }
    if (aligned === 0) return false;
    const places = Math.min(
      countPlaces(pairs.goal, along, PLACE_SIZE_PX),
      countPlaces(pairs.current, along, PLACE_SIZE_PX),
    );
    const trials = indices.length - (aligned - places);
    return logAccidents(places, trials, this.chance(tolerance)) < MAXIMUM_LOG_FALSE_ALARMS;
  }

  /** Probability that a misfit in any direction comes as near to its epipolar line. */
  private chance(tolerance: number): number {
    let sum = 0;
    for (const error of this.errors) sum += (2 / Math.PI) * Math.asin(Math.min(1, tolerance / error));
    return sum / this.errors.length;
  }
}
