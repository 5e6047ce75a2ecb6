import { describe, expect, it } from 'vitest';
import { createRandom } from './random.js';
import { robustSigma, totalTukeyTrust, tukeyWeight } from './robust-scale.js';

describe('robustSigma', () => {
  it('takes the middle of the errors, however they are ordered and however often they repeat', () => {
    const random = createRandom(3);
    for (let count = 1; count < 60; count++) {
      const errors = Float64Array.from({ length: 70 }, () => Math.floor(10 * random()) + 1);
      const middle = errors.slice(0, count).sort()[count >> 1];
      expect(robustSigma(errors, count, 1)).toBe(middle / 0.6745);
    }
  });

  it('finds the deviation of noise that a third of the errors do not belong to', () => {
    const random = createRandom(4);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const errors = Float64Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? 50 : Math.abs(0.7 * normal())));
    expect(robustSigma(errors, 3000, 1)).toBeGreaterThan(0.7);
    expect(robustSigma(errors, 3000, 1)).toBeLessThan(1.2);
  });

  it('is never smaller than keypoints allow', () => {
    expect(robustSigma(new Float64Array(5), 5, 2)).toBe(0.05);
    expect(robustSigma(new Float64Array(0), 0, 1)).toBe(0.05);
  });
});

it('tukeyWeight falls from 1 to 0', () => {
  expect(tukeyWeight(0, 1)).toBe(1);
  expect(tukeyWeight(4, 1)).toBeGreaterThan(tukeyWeight(9, 1));
  expect(tukeyWeight(4.7 ** 2, 1)).toBe(0);
});

it('totalTukeyTrust is what tukeyWeight is the slope of', () => {
  const sigma = 0.8;
  const trustOf = (error: number): number => totalTukeyTrust(Float64Array.of(error), sigma);
  const slopeAt = (error: number): number => trustOf(error + 1e-6) - trustOf(error);
  for (const error of [0, 0.5, 2, 9]) expect(slopeAt(error) / slopeAt(0)).toBeCloseTo(tukeyWeight(error, sigma), 4);
  expect(trustOf(0)).toBe(1);
  expect(totalTukeyTrust(Float64Array.of(0, 1e9, Infinity, Number.NaN), sigma)).toBe(1);
});
