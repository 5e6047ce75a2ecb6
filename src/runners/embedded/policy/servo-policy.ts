import type { ModelIdentity } from '../../runner.port.js';
import type { Observation } from '../vision/observation.js';

/** [vx, vy, vz, wx, wy, wz] of the current camera in its own frame (x right, y down, z forward), m/s and rad/s. */
export type Velocity = [number, number, number, number, number, number];

/**
 * Turns what a frame shows of the goal into the velocity that leads there. A policy is made for one goal and may remember
 * the frames before, so it is told of every frame in order, each once.
 */
export interface ServoPolicy {
  /** Null for a policy that has learned nothing. */
  readonly model: ModelIdentity | null;
  /** What was done otherwise than one would expect, in plain words for the result. */
  readonly warnings: readonly string[];
  /**
   * Told only of observations without a `problem`.
   * @returns null when the observation does not determine a velocity
   */
  decide(observation: Observation): Velocity | null;
  /** What it remembers of the frames before, at most 1 MiB; empty for a policy without memory. */
  saveState(): Uint8Array;
  /**
   * Goes on where another instance for the same goal stopped: what follows is the same bit by bit.
   * @param state as `saveState` gave it
   * @throws StateMismatchError when it comes from another goal, other weights or another version; nothing changes then
   */
  restoreState(state: Uint8Array): void;
}

/** A saved state that this policy cannot go on from. */
export class StateMismatchError extends Error {
  override readonly name = 'StateMismatchError';
}
