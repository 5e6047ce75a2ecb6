import { cameraPath, goalDistances, poseOfMatrix, type GoalDistance } from '../../src/runners/trajectory.js';
import type { GoldenCase } from './golden-folder.js';

export interface Approach {
  start: GoalDistance;
  /** After following our velocities. */
  ours: GoalDistance;
  /** After following the reference's; null where they are not known. */
  reference: GoalDistance | null;
}

/** Where a camera comes to that starts at the case's first pose; null when poses or frame rate are not known. */
export function approachGoal(golden: GoldenCase, ours: number[][], reference: number[][] | null): Approach | null {
  const { poses, framesPerSecond } = golden;
  const origin = poses?.[0];
  if (origin === undefined || framesPerSecond === null) return null;
  const start = poseOfMatrix(origin);
  const distances = (velocities: number[][]): GoalDistance[] => {
    const rows = velocities.map((velocity, frame) => ({ frame, velocity }));
    return [...goalDistances(cameraPath(rows, framesPerSecond), start)];
  };
  const own = distances(ours);
  return {
    start: own[0],
    ours: own[own.length - 1],
    reference: reference === null ? null : (distances(reference).at(-1) ?? null),
  };
}
