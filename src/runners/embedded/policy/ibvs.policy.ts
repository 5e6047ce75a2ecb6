import type { Intrinsics } from '../../runner.port.js';
import { ibvsVelocity } from './ibvs.js';
import { StateMismatchError, type ServoPolicy } from './servo-policy.js';

/** Image-based visual servoing: a least-squares solution for each frame, without memory. */
export function createIbvsPolicy(intrinsics: Intrinsics, distance: number): ServoPolicy {
  return {
    model: null,
    warnings: [],
    decide: ({ weighted }) => ibvsVelocity(weighted, intrinsics, distance, weighted.weights),
    saveState: () => new Uint8Array(0),
    restoreState(state) {
      if (state.length > 0) throw new StateMismatchError('The saved state comes from a policy with memory.');
    },
  };
}
