import { describe, expect, it } from 'vitest';
import { fitHomography, type PointPairs } from './homography.js';
import { createRandom } from './random.js';

const TRUE = [0.9, -0.2, 40, 0.15, 1.1, -30, 1e-4, -2e-4, 1] as const;

describe('fitHomography', () => {
  it('recovers an exact homography', () => {
    const pairs = makePairs(40, 0, 0);
    const fit = fitHomography(pairs, 3);
    expect(fit?.inlierCount).toBe(40);
    expect(largestTransferError(fit!.matrix)).toBeLessThan(1e-6);
  });

  it('finds the inliers among 60 % outliers and averages their noise out', () => {
    const pairs = makePairs(300, 0.6, 0.5);
    const fit = fitHomography(pairs, 3)!;
    expect(fit.inliers.subarray(0, 180).reduce((sum, inlier) => sum + inlier, 0)).toBeLessThanOrEqual(2);
    expect(fit.inliers.subarray(180).reduce((sum, inlier) => sum + inlier, 0)).toBeGreaterThanOrEqual(115);
    expect(largestTransferError(fit.matrix)).toBeLessThan(0.6);
    expect(fit.weights.every((weight, i) => weight >= 0 && weight <= 1 && (fit.inliers[i] === 1 || weight === 0))).toBe(
      true,
    );
  });

  it('is deterministic', () => {
    expect(fitHomography(makePairs(100, 0.5, 0.5), 3)).toEqual(fitHomography(makePairs(100, 0.5, 0.5), 3));
  });

  it('has no answer for fewer than four pairs, identical points and points on a line', () => {
    const line = Float64Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? i * 5 : i * 3));
    expect(fitHomography(makePairs(3, 0, 0), 3)).toBeNull();
    expect(
      fitHomography({ count: 20, goal: new Float64Array(40).fill(7), current: new Float64Array(40).fill(9) }, 3),
    ).toBeNull();
    expect(fitHomography({ count: 20, goal: line, current: line }, 3)).toBeNull();
  });

  it('does not accept a mirror image', () => {
    const { count, goal } = makePairs(30, 0, 0);
    const mirrored = goal.map((value, i) => (i % 2 === 0 ? 640 - value : value));
    expect(fitHomography({ count, goal, current: mirrored }, 3)?.inlierCount ?? 0).toBeLessThan(15);
  });
});

/** The first share of the pairs are outliers, the others noisy images under TRUE. */
function makePairs(count: number, outlierShare: number, noise: number): PointPairs {
  const random = createRandom(11);
  const goal = Float64Array.from({ length: 2 * count }, (_, i) => random() * (i % 2 === 0 ? 640 : 480));
  const current = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const isOutlier = i < Math.round(count * outlierShare);
    const [u, v] = isOutlier ? [random() * 640, random() * 480] : transfer(TRUE, goal[2 * i]!, goal[2 * i + 1]!);
    current.set([u + gaussian(random) * noise, v + gaussian(random) * noise], 2 * i);
  }
  return { count, goal, current };
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function transfer(h: ArrayLike<number>, x: number, y: number): [number, number] {
  const depth = h[6]! * x + h[7]! * y + h[8]!;
  return [(h[0]! * x + h[1]! * y + h[2]!) / depth, (h[3]! * x + h[4]! * y + h[5]!) / depth];
}

function largestTransferError(matrix: Float64Array): number {
  const corners = [0, 640].flatMap((x) => [0, 480].map((y) => [x, y] as const));
  return Math.max(
    ...corners.map(([x, y]) => {
      const [u, v] = transfer(matrix, x, y);
      const [trueU, trueV] = transfer(TRUE, x, y);
      return Math.hypot(u - trueU, v - trueV);
    }),
  );
}
