import type { Intrinsics } from '../../runner.port.js';
import type { Keypoints } from './features.js';
import type { PointPairs } from './homography.js';
import { NeighbourGrid } from './neighbour-grid.js';
import type { WeightedPairs } from './observation.js';
import type { Relief } from './relief.js';

/** Measured pairs that the depth of a keypoint is taken from. */
const NEIGHBOURS = 5;
/** Squared pixels within which a measured pair is the keypoint itself. */
const SAME_KEYPOINT = 0.01;

/*
 * With one depth for all points, the velocity depends on where in the image the points lie: on a tilted plane, on a box
 * before a wall. Which keypoints get matched varies from frame to frame and from surface to surface; which ones are in view
 * hardly does. So the velocity is solved from every goal keypoint that the frame must show, each once, at the place where
 * the agreeing pairs put it.
 */

interface FrameSize {
  width: number;
  height: number;
}

/**
 * Every goal keypoint that the current frame must show if the scene is a plane.
 *
 * @param matrix row-major homography, goal pixels to current pixels
 */
export function goalOnPlane(matrix: Float64Array, goal: Keypoints, frame: FrameSize): WeightedPairs {
  const list = new PairList(goal.count, frame);
  for (let i = 0; i < goal.count; i++) {
    const x = goal.points[2 * i]!;
    const y = goal.points[2 * i + 1]!;
    const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
    if (!(depth > 0)) continue;
    const u = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth;
    const v = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth;
    list.add(x, y, u, v);
  }
  return list.finish();
}

/**
 * Every goal keypoint that the current frame must show of a scene of any shape: where it was measured, or where it has to
 * be at the middle depth of its neighbours. (The mean would put keypoints beside an edge into the air.)
 */
export function goalOnRelief(
  measured: PointPairs,
  { inliers, pose, inverseDepth }: Relief,
  goal: Keypoints,
  frame: FrameSize,
  { fx, fy, cx, cy }: Intrinsics,
): WeightedPairs {
  const { rotation: r, translation: t } = pose;
  const grid = new NeighbourGrid(measured.goal, inliers);
  const neighbours = new Int32Array(NEIGHBOURS);
  const distances = new Float64Array(NEIGHBOURS);
  const depths = new Float64Array(NEIGHBOURS);
  const list = new PairList(goal.count, frame);
  for (let i = 0; i < goal.count; i++) {
    const u = goal.points[2 * i]!;
    const v = goal.points[2 * i + 1]!;
    const found = grid.nearest(u, v, neighbours, distances);
    const nearest = neighbours[0]!;
    if (distances[0]! < SAME_KEYPOINT) {
      list.add(u, v, measured.current[2 * nearest]!, measured.current[2 * nearest + 1]!);
      continue;
    }
    for (let k = 0; k < found; k++) depths[k] = inverseDepth[neighbours[k]!]!;
    const depth = depths.subarray(0, found).sort()[found >> 1]!;
    const x = (u - cx) / fx;
    const y = (v - cy) / fy;
    const z = r[6]! * x + r[7]! * y + r[8]! + depth * t[2]!;
    if (!(z > 0)) continue;
    const seenX = (r[0]! * x + r[1]! * y + r[2]! + depth * t[0]!) / z;
    const seenY = (r[3]! * x + r[4]! * y + r[5]! + depth * t[1]!) / z;
    list.add(u, v, fx * seenX + cx, fy * seenY + cy);
  }
  return list.finish();
}

/** Pairs of equal weight, as far as their current position is in the frame. */
class PairList {
  private count = 0;
  private readonly goal: Float64Array;
  private readonly current: Float64Array;

  constructor(
    capacity: number,
    private readonly frame: FrameSize,
  ) {
    this.goal = new Float64Array(2 * capacity);
    this.current = new Float64Array(2 * capacity);
  }

  add(x: number, y: number, u: number, v: number): void {
    const { width, height } = this.frame;
    if (!(u >= -0.5 && v >= -0.5 && u <= width - 0.5 && v <= height - 0.5)) return;
    const at = 2 * this.count++;
    this.goal[at] = x;
    this.goal[at + 1] = y;
    this.current[at] = u;
    this.current[at + 1] = v;
  }

  finish(): WeightedPairs {
    const { count } = this;
    return {
      count,
      goal: this.goal.slice(0, 2 * count),
      current: this.current.slice(0, 2 * count),
      weights: new Float64Array(count).fill(1),
    };
  }
}
