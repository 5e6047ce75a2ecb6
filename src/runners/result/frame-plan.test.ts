import { describe, expect, it } from 'vitest';

import { countFrames, picturePlan } from './frame-plan.js';

describe('countFrames', () => {
  it.each([
    [0, 59, 1, 60],
    [0, 59, 7, 9],
    [10, 10, 3, 1],
    [3, 9, 3, 3],
    [5, 4, 1, 0],
  ])('%i to %i by %i gives %i', (startFrame, endFrame, frameStep, count) => {
    expect(countFrames({ startFrame, endFrame, frameStep })).toBe(count);
  });
});

describe('picturePlan', () => {
  const chosen = (mode: 'none' | 'sampled' | 'all', total: number) =>
    Array.from({ length: total }, (_, position) => position).filter(picturePlan(mode, total));

  it('takes none or all when told so', () => {
    expect(chosen('none', 50)).toEqual([]);
    expect(chosen('all', 250)).toHaveLength(250);
  });

  it('takes every frame of a short job in sampled mode', () => {
    expect(chosen('sampled', 1)).toEqual([0]);
    expect(chosen('sampled', 100)).toHaveLength(100);
  });

  it.each([101, 150, 199, 1500, 99_999])('spreads 100 pictures evenly over %i frames', (total) => {
    const positions = chosen('sampled', total);
    const gaps = positions.slice(1).map((position, k) => position - positions[k]);
    expect(positions).toHaveLength(100);
    expect(positions.at(0)).toBe(0);
    expect(positions.at(-1)).toBe(total - 1);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
  });
});
