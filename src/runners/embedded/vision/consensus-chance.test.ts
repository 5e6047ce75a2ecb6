import { describe, expect, it } from 'vitest';
import { countPlaces, logAccidents, logFalseAlarms } from './consensus-chance.js';

const CHANCE = (Math.PI * 3 ** 2) / (640 * 480);
const PLANE = { sampleSize: 4, models: 1, chance: CHANCE };

describe('logFalseAlarms', () => {
  it('follows the formula', () => {
    // 10 pairs, 6 inliers: 10 * C(10, 6) * C(6, 4) * chance^2
    expect(logFalseAlarms(6, 10, PLANE)).toBeCloseTo(Math.log10(10 * 210 * 15 * CHANCE ** 2), 9);
  });

  it('takes the same count for evidence among few and for an accident among many', () => {
    expect(logFalseAlarms(6, 6, PLANE)).toBeLessThan(-4);
    expect(logFalseAlarms(6, 50, PLANE)).toBeGreaterThan(-4);
    expect(logFalseAlarms(300, 500, PLANE)).toBeLessThan(-300);
  });

  it('asks more of a model that accident satisfies sooner', () => {
    const epipolar = { sampleSize: 5, models: 10, chance: 0.015 };
    expect(logFalseAlarms(9, 12, PLANE)).toBeLessThan(-4);
    expect(logFalseAlarms(9, 12, epipolar)).toBeGreaterThan(-4);
  });

  it('never believes the pairs that made the model', () => {
    expect(logFalseAlarms(4, 4, PLANE)).toBe(Infinity);
    expect(logFalseAlarms(0, 0, PLANE)).toBe(Infinity);
  });
});

describe('logAccidents', () => {
  it('bounds the binomial tail', () => {
    // 20 trials of chance 0.1, 8 hits: C(20, 8) * 0.1^8, for any of 20 numbers of hits
    expect(logAccidents(8, 20, 0.1)).toBeCloseTo(Math.log10(20 * 125970 * 0.1 ** 8), 9);
  });

  it('is no evidence where no more hits than expected were counted', () => {
    expect(logAccidents(2, 20, 0.1)).toBe(Infinity);
    expect(logAccidents(0, 0, 0.1)).toBe(Infinity);
  });
});

it('countPlaces counts chosen points near each other once', () => {
  const points = Float64Array.of(1, 1, 2, 2, 100, 1, 100, 50, 300, 300);
  expect(countPlaces(points, Uint8Array.of(1, 1, 1, 1, 0), 8)).toBe(3);
});
