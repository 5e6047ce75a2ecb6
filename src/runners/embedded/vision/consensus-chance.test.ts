import { describe, expect, it } from 'vitest';
import { countPlaces, logFalseAlarms } from './consensus-chance.js';

const CHANCE = (Math.PI * 3 ** 2) / (640 * 480);

describe('logFalseAlarms', () => {
  it('follows the formula', () => {
    // 10 pairs, 6 inliers: 10 * C(10, 6) * C(6, 4) * chance^2
    expect(logFalseAlarms(6, 10, CHANCE)).toBeCloseTo(Math.log10(10 * 210 * 15 * CHANCE ** 2), 9);
  });

  it('takes the same count for evidence among few and for an accident among many', () => {
    expect(logFalseAlarms(6, 6, CHANCE)).toBeLessThan(-4);
    expect(logFalseAlarms(6, 50, CHANCE)).toBeGreaterThan(-4);
    expect(logFalseAlarms(300, 500, CHANCE)).toBeLessThan(-300);
  });

  it('never believes the pairs that made the homography', () => {
    expect(logFalseAlarms(4, 4, CHANCE)).toBe(Infinity);
    expect(logFalseAlarms(0, 0, CHANCE)).toBe(Infinity);
  });
});

it('countPlaces counts chosen points near each other once', () => {
  const points = Float64Array.of(1, 1, 2, 2, 100, 1, 100, 50, 300, 300);
  expect(countPlaces(points, Uint8Array.of(1, 1, 1, 1, 0), 8)).toBe(3);
});
