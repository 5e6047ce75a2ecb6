import type { Intrinsics, Policy } from '../../runner.port.js';
import type { LoadedWeights } from '../cns/load-weights.js';
import type { Keypoints } from '../vision/features.js';
import { createCnsPolicy } from './cns.policy.js';
import { createIbvsPolicy } from './ibvs.policy.js';
import type { ServoPolicy } from './servo-policy.js';

export interface PolicyOptions {
  policy: Policy;
  intrinsics: Intrinsics;
  /** Metres from the goal camera to the scene. */
  distance: number;
  /** All keypoints of the goal frame, in the order that observations refer to. */
  goal: Keypoints;
  /** Weights of the CNS network; asked for when a policy needs them. */
  loadWeights(): Promise<LoadedWeights>;
  /** Awaited now and then during long preparations; may throw to end them. */
  breathe(): Promise<void>;
}

/** @throws RunnerInputError when there is no memory for the goal; what `loadWeights` and `breathe` throw */
export async function createPolicy(options: PolicyOptions): Promise<ServoPolicy> {
  switch (options.policy) {
    case 'ibvs':
      return createIbvsPolicy(options.intrinsics, options.distance);
    case 'cns':
      return createCnsPolicy(options);
  }
}
