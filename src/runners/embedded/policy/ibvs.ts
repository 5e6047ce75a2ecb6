import type { Intrinsics } from '../../runner.port.js';
import type { PointPairs } from '../vision/homography.js';
import { NormalEquations } from '../vision/linear-solver.js';
import type { Velocity } from './servo-policy.js';

/**
 * Extent of the mean of both views, as a share of theirs, below which it is noise: cos(angle / 2) for a roll, 178.9 degrees.
 * Upside down the mean interaction matrix does not tell roll and approach from rest, and what is left of it by errors of
 * hundredths of a pixel would ask for tens of kilometres per second.
 */
const LEAST_MEAN_SHARE = 0.01;

/**
 * Image-based visual servoing (Chaumette & Hutchinson, "Visual servo control, part I", IEEE RAM 2006) with gain 1 and the
 * mean of the interaction matrices at the goal and the current points, every point at the same depth:
 * v = pinv((L(current) + L(goal)) / 2) * (goal - current).
 *
 * @param depth metres, for every point and both views
 * @param weights one per pair, not negative; null weighs all alike
 * @returns null when the points do not determine a velocity (fewer than three, collinear, coinciding, upside down)
 */
export function ibvsVelocity(
  pairs: PointPairs,
  { fx, fy, cx, cy }: Intrinsics,
  depth: number,
  weights: Float64Array | null,
): Velocity | null {
  const equations = new NormalEquations(6);
  const places = { goal: new Scatter(), current: new Scatter(), mean: new Scatter() };
  // The translation columns hold 1 / depth: solving for velocity / depth keeps all columns of similar size.
  const row = new Float64Array(6);
  for (let i = 0; i < pairs.count; i++) {
    const weight = weights === null ? 1 : weights[i]!;
    if (weight === 0) continue;
    const goalX = (pairs.goal[2 * i]! - cx) / fx;
    const goalY = (pairs.goal[2 * i + 1]! - cy) / fy;
    const x = (pairs.current[2 * i]! - cx) / fx;
    const y = (pairs.current[2 * i + 1]! - cy) / fy;
    const meanX = (x + goalX) / 2;
    const meanY = (y + goalY) / 2;
    const meanXY = (x * y + goalX * goalY) / 2;
    row.set([-1, 0, meanX, meanXY, -(1 + (x * x + goalX * goalX) / 2), meanY]);
    equations.add(row, goalX - x, weight);
    row.set([0, -1, meanY, 1 + (y * y + goalY * goalY) / 2, -meanXY, -meanX]);
    equations.add(row, goalY - y, weight);
    places.goal.add(goalX, goalY, weight);
    places.current.add(x, y, weight);
    places.mean.add(meanX, meanY, weight);
  }
  if (places.mean.square < LEAST_MEAN_SHARE ** 2 * Math.max(places.goal.square, places.current.square)) return null;
  const solution = equations.solve();
  if (solution === null) return null;
  const [vx, vy, vz, wx, wy, wz] = solution as unknown as Velocity;
  return [vx * depth, vy * depth, vz * depth, wx, wy, wz];
}

/** How far weighted points lie around their centre. */
class Scatter {
  private weights = 0;
  private x = 0;
  private y = 0;
  private squares = 0;

  add(x: number, y: number, weight: number): void {
    this.weights += weight;
    this.x += weight * x;
    this.y += weight * y;
    this.squares += weight * (x * x + y * y);
  }

  /** Sum of the weighted squared distances from the centre. */
  get square(): number {
    return this.squares - (this.x ** 2 + this.y ** 2) / this.weights;
  }
}
