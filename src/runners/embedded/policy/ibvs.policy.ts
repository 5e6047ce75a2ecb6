import type { Intrinsics } from '../../runner.port.js';
import { ibvsVelocity } from './ibvs.js';
import type { ServoPolicy } from './servo-policy.js';

/** Image-based visual servoing: a least-squares solution for each frame, without memory. */
export function createIbvsPolicy(intrinsics: Intrinsics, distance: number): ServoPolicy {
  return {
    decide: ({ weighted }) => ibvsVelocity(weighted, intrinsics, distance, weighted.weights),
  };
}
