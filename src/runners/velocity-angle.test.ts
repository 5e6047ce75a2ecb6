import { describe, expect, it } from 'vitest';
import { magnitude, medianAngle } from './velocity-angle.js';

describe('the angle to the true velocity', () => {
  const truth = [
    [1, 0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [0.001, 0, 0, 0, 0, 0],
  ];

  it('is the median over the frames that move', () => {
    const rows = [
      { frame: 0, velocity: [1, 0, 0, 0, 0, 0] },
      { frame: 1, velocity: [1, 0, 0, 0, 0, 0] },
      { frame: 2, velocity: [-1, 0, 0, 0, 0, 0] },
    ];
    expect(medianAngle(rows, truth, 1)).toBeCloseTo(45);
  });

  it('weighs rotation by the distance', () => {
    const rows = [{ frame: 0, velocity: [1, 0, 0, 0, 0, 2] }];
    expect(medianAngle(rows, truth, 0.5)).toBeCloseTo(45);
  });

  it('is unknown when nothing moves, and 90° for a velocity of zero', () => {
    expect(medianAngle([], truth, 1)).toBeNull();
    expect(medianAngle([{ frame: 0, velocity: [0, 0, 0, 0, 0, 0] }], truth, 1)).toBe(90);
    expect(magnitude([3, 0, 0, 0, 4, 0])).toBe(5);
  });
});
