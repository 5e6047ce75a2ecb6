import type { Intrinsics, Policy } from '../../runner.port.js';
import type { GoalCache } from '../observers/goal-cache.js';
import type { LoadedWeights } from '../cns/load-weights.js';
import type { Keypoints } from '../vision/features.js';

export interface PolicyOptions {
  policy: Policy;
  intrinsics: Intrinsics;
  /** Metres from the goal camera to the scene. */
  distance: number;
  /** All keypoints of the goal frame, in the order that observations refer to. */
  goal: Keypoints;
  /** Keeps what was found out about this goal for other jobs; the key names all else that the value depends on. */
  remember: GoalCache['remember'];
  /** Weights of the CNS network; asked for when a policy needs them. */
  loadWeights(): Promise<LoadedWeights>;
  /** Awaited now and then during long preparations; may throw to end them. */
  breathe(): Promise<void>;
}
