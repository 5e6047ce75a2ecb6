import { createCnsPolicy } from './cns.policy.js';
import { createIbvsPolicy } from './ibvs.policy.js';
import type { PolicyOptions } from './policy-options.js';
import type { ServoPolicy } from './servo-policy.js';

/** @throws RunnerInputError when there is no memory for the goal; what `loadWeights` and `breathe` throw */
export async function createPolicy(options: PolicyOptions): Promise<ServoPolicy> {
  switch (options.policy) {
    case 'ibvs':
      return createIbvsPolicy(options.intrinsics, options.distance);
    case 'cns':
      return createCnsPolicy(options);
  }
}
