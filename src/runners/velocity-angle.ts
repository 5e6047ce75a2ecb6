/** [vx, vy, vz, wx, wy, wz], m/s and rad/s. */
export type Velocity = readonly number[];

/** Frames whose true velocity is below this part of the first one's are too close to rest for a direction. */
const MOVING_SHARE = 0.05;

/** Length of the six numbers taken together. */
export function magnitude(velocity: Velocity): number {
  return Math.hypot(...velocity);
}

/**
 * Median angle in degrees between velocities and the true ones, over the frames that move. Rotation is weighed by the
 * distance to the scene, so that both halves are metres per second.
 *
 * @param rows by row: the frame it belongs to and what was computed
 * @param truth by frame
 * @returns null when no frame moves
 */
export function medianAngle(
  rows: readonly { frame: number; velocity: Velocity }[],
  truth: readonly Velocity[],
  distance: number,
): number | null {
  const start = magnitude(truth[0]);
  const angles = rows
    .filter(({ frame }) => magnitude(truth[frame]) > MOVING_SHARE * start)
    .map(({ frame, velocity }) => angleBetween(weigh(velocity, distance), weigh(truth[frame], distance)))
    .sort((a, b) => a - b);
  if (angles.length === 0) return null;
  const middle = angles.length >> 1;
  return angles.length % 2 === 1 ? angles[middle] : (angles[middle - 1] + angles[middle]) / 2;
}

function weigh(velocity: Velocity, distance: number): number[] {
  return velocity.map((value, axis) => (axis < 3 ? value : value * distance));
}

function angleBetween(a: Velocity, b: Velocity): number {
  const product = a.reduce((sum, value, axis) => sum + value * b[axis], 0);
  const lengths = magnitude(a) * magnitude(b);
  if (lengths === 0) return 90;
  return (Math.acos(Math.max(-1, Math.min(1, product / lengths))) * 180) / Math.PI;
}
