import type { Observation } from '../vision/observation.js';

/** [vx, vy, vz, wx, wy, wz] of the current camera in its own frame (x right, y down, z forward), m/s and rad/s. */
export type Velocity = [number, number, number, number, number, number];

/**
 * Turns what a frame shows of the goal into the velocity that leads there. A policy is made for one goal and may remember
 * the frames before, so it is told of every frame in order, each once.
 */
export interface ServoPolicy {
  /**
   * Told only of observations without a `problem`.
   * @returns null when the observation does not determine a velocity
   */
  decide(observation: Observation): Velocity | null;
}
