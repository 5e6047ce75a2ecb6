/**
 * Standard deviation of points along the direction in which they spread least: near zero when they lie on a line.
 *
 * @param points x0, y0, x1, y1, …
 * @param chosen 1 for the points that count; null for all
 */
export function spread(points: Float64Array, chosen: Uint8Array | null): number {
  let count = 0;
  let x = 0;
  let y = 0;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  // Relative to the first point: sums of squares of large coordinates would drown small differences.
  const originX = points[0] ?? 0;
  const originY = points[1] ?? 0;
  for (let i = 0; i < points.length / 2; i++) {
    if (chosen !== null && chosen[i] !== 1) continue;
    const dx = points[2 * i]! - originX;
    const dy = points[2 * i + 1]! - originY;
    count++;
    x += dx;
    y += dy;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  if (count === 0) return 0;
  const varianceX = xx / count - (x / count) ** 2;
  const varianceY = yy / count - (y / count) ** 2;
  const covariance = xy / count - (x / count) * (y / count);
  const halfTrace = (varianceX + varianceY) / 2;
  const smaller = halfTrace - Math.hypot((varianceX - varianceY) / 2, covariance);
  return Math.sqrt(Math.max(smaller, 0));
}
