import { SAME_PLACE_PX } from './goal.js';
import type { HomographyFit, PointPairs } from './homography.js';
import { NeighbourGrid } from './neighbour-grid.js';
import { PatchComparison } from './patches.js';
import type { TwoFrames } from './two-frames.js';

/** A keypoint that looks less like the goal than this where the plane puts it is not there. */
const PRESENT_LIKENESS = 0.75;
/** One that looks as much like the goal as this somewhere else has been found. */
const FOUND_LIKENESS = 0.8;
/** What a frame's keypoint, a pixel or two beside the place, has to look like to be worth a closer look. */
const PROMISING_LIKENESS = 0.4;
/** Fewer missing keypoints than this are no sign of another surface. */
const FEWEST_MISSING = 8;
/** As many show where another surface is; more would take long where much of the picture is another. */
const MOST_SOUGHT = 120;
/** Keypoints of the frame that are compared with each missing one. */
const CANDIDATES = 40;
/** Steps of a pixel towards the greatest likeness. */
const CLIMBING_STEPS = 3;
const DIRECTIONS = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
] as const;

/**
 * Keypoints that are not where a plane puts them, found again by what they look like among the frame's keypoints
 * nearby. Descriptors are compared with all of the frame and discarded when two are alike; here the plane says how the
 * camera moved, about, so that little is left to compare with. A keypoint found so is exact to a few tenths of a pixel,
 * and each needs no other to be believed.
 *
 * @param reach pixels by which another surface may lie beside the plane's prediction
 * @returns pairs beside those that are known; none where the frame shows what the plane predicts
 */
export function pairsOffPlane(
  known: PointPairs,
  { matrix, inliers }: HomographyFit,
  { goal, frame, framePoints }: TwoFrames,
  reach: number,
): PointPairs {
  const onPlane = new NeighbourGrid(known.goal, inliers);
  const search = new ShiftSearch(new PatchComparison(goal.keypoints, goal.patches, frame), matrix);
  const missing: number[] = [];
  const nearest = new Int32Array(1);
  const distance = new Float64Array(1);
  const { count, points } = goal.keypoints;
  for (let keypoint = 0; keypoint < count; keypoint++) {
    const matched = onPlane.nearest(points[2 * keypoint]!, points[2 * keypoint + 1]!, nearest, distance) > 0;
    if (matched && distance[0]! < SAME_PLACE_PX ** 2) continue;
    if (search.select(keypoint) && search.isMissing()) missing.push(keypoint);
  }
  if (missing.length < FEWEST_MISSING) return { count: 0, goal: new Float64Array(0), current: new Float64Array(0) };
  const places = new NeighbourGrid(framePoints, new Uint8Array(framePoints.length / 2).fill(1));
  const found = { goal: [] as number[], current: [] as number[] };
  for (const keypoint of thinned(missing, MOST_SOUGHT)) {
    search.select(keypoint);
    if (!search.find(places, framePoints, reach)) continue;
    found.goal.push(points[2 * keypoint]!, points[2 * keypoint + 1]!);
    found.current.push(search.foundX, search.foundY);
  }
  return {
    count: found.goal.length / 2,
    goal: Float64Array.from(found.goal),
    current: Float64Array.from(found.current),
  };
}

/** At most so many of the elements, spread evenly over all. */
function thinned(all: readonly number[], most: number): readonly number[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]!);
}

/** Looks for a keypoint beside the place where a homography puts it. */
class ShiftSearch {
  /** Where it was found, in pixels of the frame. */
  foundX = 0;
  foundY = 0;

  private readonly shifted: Float64Array;
  private readonly candidates = new Int32Array(CANDIDATES);
  private readonly distances = new Float64Array(CANDIDATES);
  private x = 0;
  private y = 0;

  constructor(
    private readonly comparison: PatchComparison,
    private readonly matrix: Float64Array,
  ) {
    this.shifted = matrix.slice();
  }

  /** @returns false when there is too little to see at the keypoint, or nothing of the plane in front of the camera */
  select(keypoint: number): boolean {
    const { matrix, comparison } = this;
    const [x, y] = comparison.position(keypoint);
    const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
    this.x = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth;
    this.y = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth;
    return depth > 0 && comparison.select(keypoint);
  }

  /** Whether the frame shows something else where the keypoint should be; what lies outside the frame is not missing. */
  isMissing(): boolean {
    const likeness = this.comparison.likeness(this.matrix);
    return likeness > -1 && likeness < PRESENT_LIKENESS;
  }

  find(places: NeighbourGrid, framePoints: Float64Array, reach: number): boolean {
    const { candidates, distances } = this;
    const count = places.nearest(this.x, this.y, candidates, distances);
    let best = -1;
    let dx = 0;
    let dy = 0;
    for (let i = 0; i < count && distances[i]! <= reach * reach; i++) {
      const tryX = framePoints[2 * candidates[i]!]! - this.x;
      const tryY = framePoints[2 * candidates[i]! + 1]! - this.y;
      const likeness = this.likenessAt(tryX, tryY);
      if (likeness > best) [best, dx, dy] = [likeness, tryX, tryY];
    }
    return best >= PROMISING_LIKENESS && this.climb(best, dx, dy);
  }

  private climb(start: number, startX: number, startY: number): boolean {
    let [best, dx, dy] = [start, startX, startY];
    for (let step = 0; step < CLIMBING_STEPS; step++) {
      const before = best;
      for (const [stepX, stepY] of DIRECTIONS) {
        const likeness = this.likenessAt(dx + stepX, dy + stepY);
        if (likeness <= best) continue;
        [best, dx, dy] = [likeness, dx + stepX, dy + stepY];
        break;
      }
      if (best === before) break;
    }
    if (best < FOUND_LIKENESS) return false;
    this.foundX = this.x + dx + peakOf(this.likenessAt(dx - 1, dy), best, this.likenessAt(dx + 1, dy));
    this.foundY = this.y + dy + peakOf(this.likenessAt(dx, dy - 1), best, this.likenessAt(dx, dy + 1));
    return true;
  }

  private likenessAt(dx: number, dy: number): number {
    const { matrix, shifted } = this;
    for (let column = 0; column < 3; column++) {
      shifted[column] = matrix[column]! + dx * matrix[6 + column]!;
      shifted[3 + column] = matrix[3 + column]! + dy * matrix[6 + column]!;
    }
    return this.comparison.likeness(shifted);
  }
}

/** Where the parabola through three values, one apart, has its top, as seen from the middle one; within half a step. */
function peakOf(before: number, middle: number, after: number): number {
  const curvature = before - 2 * middle + after;
  if (!(curvature < 0)) return 0;
  return Math.max(-0.5, Math.min(0.5, (before - after) / (2 * curvature)));
}
