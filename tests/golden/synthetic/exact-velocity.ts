import { ibvsVelocity } from '../../../src/runners/embedded/policy/ibvs.js';
import { project, rayOf, type CameraPose, type Vector } from './pose.js';
import type { Scene } from './scenes.js';
import { cast, type Surface } from './surfaces.js';

const GOAL_POSE: CameraPose = { rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], position: [0, 0, 0] };
/** A point is hidden when the ray to it ends this share of its length before it. */
const HIDDEN_SHARE = 0.01;

/** A place in the goal frame, in pixels, and the point of the static scene seen there, in metres. */
export interface ScenePoint {
  pixel: [number, number];
  point: Vector;
}

/** The points of the static scene that pixels of the goal frame show; those that show something else are left out. */
export function scenePoints(scene: Scene, pixels: Iterable<readonly [number, number]>): ScenePoint[] {
  const surfaces = scene.surfaces(0);
  const points: ScenePoint[] = [];
  for (const [u, v] of pixels) {
    const hit = cast(surfaces, GOAL_POSE.position, rayOf(scene.camera, GOAL_POSE, u, v));
    if (hit?.surface.isStatic === true) points.push({ pixel: [u, v], point: hit.point });
  }
  return points;
}

/** Velocity of visual servoing from the exact positions of the points that a camera sees; zeros when it sees too few. */
export function exactVelocity(scene: Scene, points: readonly ScenePoint[], pose: CameraPose, time: number): number[] {
  const surfaces = scene.surfaces(time);
  const goal: number[] = [];
  const current: number[] = [];
  for (const { pixel, point } of points) {
    const seen = project(scene.camera, pose, point);
    if (seen === null || !isInside(scene, seen) || isHidden(scene, surfaces, pose, point, seen)) continue;
    goal.push(...pixel);
    current.push(...seen);
  }
  const pairs = { count: goal.length / 2, goal: Float64Array.from(goal), current: Float64Array.from(current) };
  return ibvsVelocity(pairs, scene.camera, scene.distance, null) ?? [0, 0, 0, 0, 0, 0];
}

function isInside({ camera: { width, height } }: Scene, [u, v]: [number, number]): boolean {
  return u >= -0.5 && v >= -0.5 && u <= width - 0.5 && v <= height - 0.5;
}

function isHidden(
  { camera }: Scene,
  surfaces: readonly Surface[],
  pose: CameraPose,
  point: Vector,
  [u, v]: [number, number],
): boolean {
  const hit = cast(surfaces, pose.position, rayOf(camera, pose, u, v));
  if (hit === null) return true;
  return distance(hit.point, pose.position) < (1 - HIDDEN_SHARE) * distance(point, pose.position);
}

function distance(a: Vector, b: Vector): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
