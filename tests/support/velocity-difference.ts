/** Length of the difference relative to the length of the reference. */
export function relativeDifference(velocity: readonly number[], reference: readonly number[]): number {
  return magnitude(velocity.map((value, i) => value - reference[i])) / magnitude(reference);
}

/** Angle in degrees between two velocities, rotation weighed by a distance so that all six share one unit. */
export function angleBetween(a: readonly number[], b: readonly number[], distance: number): number {
  const p = weighRotation(a, distance);
  const q = weighRotation(b, distance);
  const cosine = p.reduce((sum, value, i) => sum + value * q[i], 0) / (magnitude(p) * magnitude(q));
  return (Math.acos(Math.min(1, cosine)) * 180) / Math.PI;
}

export function weighRotation(velocity: readonly number[], distance: number): number[] {
  return velocity.map((value, i) => (i < 3 ? value : value * distance));
}

export function magnitude(vector: readonly number[]): number {
  return Math.hypot(...vector);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
