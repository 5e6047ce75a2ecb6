import { describe, expect, it } from 'vitest';
import { rotationOf, type Vector } from '../../../../tests/golden/synthetic/pose.js';
import { twoViews, VIEW_CAMERA, type TwoViewOptions } from '../../../../tests/support/two-views.js';
import { toRays, type RayPairs } from './camera-rays.js';
import { findEssential, refineEssential, type EssentialFit } from './essential.js';
import { FivePointSolver } from './five-point.js';
import { createRandom } from './random.js';
import { essentialOf, inverseDepths, type RelativePose } from './relative-pose.js';

const POSITION: Vector = [0.12, -0.05, 0.06];
const ROTATION: Vector = [0.05, -0.08, 0.4];
const OPTIONS = { plane: null, samples: 500 };
const anyDepth: TwoViewOptions['depth'] = (_x, _y, random) => 0.6 + 0.8 * random();
const planeDepth: TwoViewOptions['depth'] = (x, y) => 1 / (1 + 0.0004 * x - 0.0003 * y);

describe('FivePointSolver', () => {
  it.each([
    ['of any depth', anyDepth, 95],
    // A plane allows two motions, here and there so near to each other that rounding hides both.
    ['of one plane', planeDepth, 85],
  ])('has the true motion among its solutions for five points %s', (_name, depth, expected) => {
    const solver = new FivePointSolver();
    const random = createRandom(8);
    const distances = Array.from({ length: 100 }, (_, seed) => {
      const position = [random() - 0.5, random() - 0.5, random() - 0.5].map((value) => value / 4) as Vector;
      const rotation = [random() - 0.5, random() - 0.5, random() - 0.5] as Vector;
      const { goal, current } = toRays(twoViews({ count: 5, depth, position, rotation, seed }), VIEW_CAMERA);
      const truth = essentialOf(truePose(position, rotation));
      const found = solver.solve(goal, current, Int32Array.of(0, 1, 2, 3, 4));
      return Math.min(...found.map((essential) => distanceUpToScale(essential, truth)));
    });
    expect(distances.filter((distance) => distance < 1e-3).length).toBeGreaterThanOrEqual(expected);
  });

  it('has no solution for five coinciding points', () => {
    const same = Float64Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 0.1 : 0.2));
    expect(new FivePointSolver().solve(same, same, Int32Array.of(0, 1, 2, 3, 4))).toEqual([]);
  });
});

describe('the essential matrix', () => {
  it.each([
    ['exact pairs', 0, 0, 1e-6],
    ['noise', 0.5, 0, 0.02],
    ['noise and half of the pairs wrong', 0.5, 0.5, 0.03],
  ])('recovers the motion from %s', (_name, noise, outliers, tolerance) => {
    const pairs = twoViews({ count: 300, depth: anyDepth, position: POSITION, rotation: ROTATION, noise, outliers });
    const fit = fitEssential(toRays(pairs, VIEW_CAMERA))!;
    const truth = truePose(POSITION, ROTATION);
    expect(distance(fit.pose.rotation, truth.rotation)).toBeLessThan(tolerance);
    expect(distance(fit.pose.translation, truth.translation)).toBeLessThan(3 * tolerance);
    const right = fit.inliers.subarray(Math.round(300 * outliers));
    expect(right.reduce((sum, inlier) => sum + inlier, 0)).toBeGreaterThanOrEqual(right.length * 0.98);
  });

  it('finds the direction of a motion whose parallaxes are as small as the noise', () => {
    const position: Vector = [0.012, -0.009, 0.004];
    const errors = [1, 2, 3, 4, 5].map((seed) => {
      const pairs = twoViews({ count: 400, depth: anyDepth, position, rotation: ROTATION, noise: 0.5, seed });
      const { pose } = fitEssential(toRays(pairs, VIEW_CAMERA))!;
      return distance(pose.translation, truePose(position, ROTATION).translation);
    });
    expect(Math.max(...errors)).toBeLessThan(0.03);
  });

  it('gives depths in units of the way', () => {
    const pairs = twoViews({ count: 100, depth: anyDepth, position: POSITION, rotation: ROTATION });
    const rays = toRays(pairs, VIEW_CAMERA);
    const { inverse, gain } = inverseDepths(fitEssential(rays)!.pose, rays);
    for (const value of inverse) {
      const metres = Math.hypot(...POSITION) / value;
      expect(metres).toBeGreaterThan(0.6 - 1e-3);
      expect(metres).toBeLessThan(1.4 + 1e-3);
    }
    expect(gain.every((value) => value > 0)).toBe(true);
  });

  it('is deterministic', () => {
    const pairs = twoViews({
      count: 100,
      depth: anyDepth,
      position: POSITION,
      rotation: ROTATION,
      noise: 1,
      outliers: 0.4,
    });
    const fit = () => fitEssential(toRays(pairs, VIEW_CAMERA));
    expect(fit()).toEqual(fit());
  });

  it('survives pairs that determine nothing', () => {
    const same = { count: 20, goal: new Float64Array(40).fill(7), current: new Float64Array(40).fill(9) };
    expect(fitEssential(toRays(same, VIEW_CAMERA))).toBeNull();
    const few = twoViews({ count: 4, depth: anyDepth, position: POSITION, rotation: ROTATION });
    expect(fitEssential(toRays(few, VIEW_CAMERA))).toBeNull();
    const turned = twoViews({ count: 60, depth: anyDepth, position: [0, 0, 0], rotation: ROTATION });
    const fit = fitEssential(toRays(turned, VIEW_CAMERA));
    expect(fit === null || [...fit.pose.rotation, ...fit.pose.translation].every(Number.isFinite)).toBe(true);
  });
});

/** X_current = R' X_goal - R' p. */
function truePose(position: Vector, axis: Vector): RelativePose {
  const r = rotationOf(axis);
  const rotation = Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]);
  const length = Math.hypot(...position);
  const translation = Float64Array.from([0, 1, 2], (row) => {
    return (
      -(rotation[3 * row] * position[0] + rotation[3 * row + 1] * position[1] + rotation[3 * row + 2] * position[2]) /
      length
    );
  });
  return { rotation, translation };
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.hypot(...Array.from(a, (value, i) => value - b[i]));
}

function distanceUpToScale(essential: Float64Array, truth: Float64Array): number {
  const scaled = truth.map((value) => value / Math.SQRT2);
  return Math.min(
    distance(essential, scaled),
    distance(
      essential,
      scaled.map((value) => -value),
    ),
  );
}

function fitEssential(rays: RayPairs): EssentialFit | null {
  const found = findEssential(rays, 3, OPTIONS);
  return found === null ? null : refineEssential(rays, found, 3);
}
