import type { Intrinsics } from '../../runner.port.js';
import type { PointPairs } from './homography.js';

/** Matched positions on the plane at distance 1 before the camera: x0, y0, x1, y1, …; optical axis at 0, 0. */
export interface RayPairs {
  count: number;
  goal: Float64Array;
  current: Float64Array;
  /** Pixels per unit in x and in y. */
  fx: number;
  fy: number;
}

export function toRays({ count, goal, current }: PointPairs, intrinsics: Intrinsics): RayPairs {
  return {
    count,
    goal: normalised(goal, intrinsics),
    current: normalised(current, intrinsics),
    fx: intrinsics.fx,
    fy: intrinsics.fy,
  };
}

function normalised(points: Float64Array, { fx, fy, cx, cy }: Intrinsics): Float64Array {
  const rays = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    rays[i] = (points[i]! - cx) / fx;
    rays[i + 1] = (points[i + 1]! - cy) / fy;
  }
  return rays;
}
