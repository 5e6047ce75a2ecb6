import type { Intrinsics } from '../../runner.port.js';
import type { Keypoints } from './features.js';
import { SAME_PLACE_PX } from './goal.js';
import type { PointPairs } from './homography.js';
import { NeighbourGrid } from './neighbour-grid.js';
import type { WeightedPairs } from './observation.js';
import { PixelMotion } from './pixel-motion.js';
import { depthsInView } from './relief-depths.js';
import type { Relief } from './relief.js';
import type { TwoFrames } from './two-frames.js';

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
 * be at the depth of the surface that it lies on.
 */
export function goalOnRelief(relief: Relief, frames: TwoFrames, intrinsics: Intrinsics): WeightedPairs {
  const { pairs, pose, inverseDepth } = relief;
  const { count, points } = frames.goal.keypoints;
  const motion = new PixelMotion(pose, intrinsics);
  const measured = measuredPairs(relief, frames.goal.keypoints);
  const measuredDepths = Float64Array.from(measured, (pair) => (pair < 0 ? Number.NaN : inverseDepth[pair]!));
  const depths = depthsInView(measuredDepths, motion, frames);
  const list = new PairList(count, frames.frame);
  for (let i = 0; i < count; i++) {
    const x = points[2 * i]!;
    const y = points[2 * i + 1]!;
    const pair = measured[i]!;
    if (pair >= 0) list.addPair(pairs, pair);
    else if (motion.project(x, y, depths[i]!)) list.add(x, y, motion.x, motion.y);
  }
  return list.finish();
}

/** The agreeing pair of each goal keypoint; -1 for those without. */
function measuredPairs({ pairs, inliers }: Relief, { count, points }: Keypoints): Int32Array {
  const grid = new NeighbourGrid(pairs.goal, inliers);
  const nearest = new Int32Array(1);
  const distance = new Float64Array(1);
  return Int32Array.from({ length: count }, (_, i) => {
    const found = grid.nearest(points[2 * i]!, points[2 * i + 1]!, nearest, distance);
    return found > 0 && distance[0]! < SAME_PLACE_PX ** 2 ? nearest[0]! : -1;
  });
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

  addPair({ goal, current }: PointPairs, pair: number): void {
    this.add(goal[2 * pair]!, goal[2 * pair + 1]!, current[2 * pair]!, current[2 * pair + 1]!);
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
