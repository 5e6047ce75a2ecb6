import { describe, expect, it } from 'vitest';
import { planLevels } from './akaze-plan.js';

describe('planLevels', () => {
  it('has four octaves of four levels where they have room', () => {
    const levels = planLevels(1280, 960);
    expect(levels).toHaveLength(16);
    expect(levels.slice(0, 5).map(({ step, border, ratio }) => [step, border, ratio])).toEqual([
      [2, 29, 1],
      [3, 43, 1],
      [3, 43, 1],
      [4, 58, 1],
      [2, 29, 2],
    ]);
    expect(levels[15]).toMatchObject({ octave: 3, width: 160, height: 120, ratio: 8 });
  });

  it('diffuses to the blur of each level, stably as a whole', () => {
    const levels = planLevels(1280, 960);
    levels.slice(1).forEach(({ sigma, times }, i) => {
      const time = (sigma ** 2 - levels[i]!.sigma ** 2) / 2;
      expect(times.reduce((sum, step) => sum + step, 0)).toBeCloseTo(time, 4);
      // One step fewer could not take that long.
      expect(((times.length - 1) * times.length * 0.25) / 3).toBeLessThan(time);
    });
    expect(levels[0]!.times).toEqual([]);
  });

  it('ends where no keypoint would fit', () => {
    expect(planLevels(640, 480)).toHaveLength(13);
    expect(planLevels(64, 64)).toHaveLength(1);
    expect(planLevels(58, 400)).toEqual([]);
    expect(planLevels(1, 1)).toEqual([]);
  });
});
