import type { Intrinsics } from '../../runner.port.js';
import { createIbvsPolicy } from './ibvs.policy.js';
import type { ServoPolicy } from './servo-policy.js';

export interface PolicyOptions {
  intrinsics: Intrinsics;
  /** Metres from the goal camera to the scene. */
  distance: number;
}

export function createPolicy({ intrinsics, distance }: PolicyOptions): Promise<ServoPolicy> {
  return Promise.resolve(createIbvsPolicy(intrinsics, distance));
}
