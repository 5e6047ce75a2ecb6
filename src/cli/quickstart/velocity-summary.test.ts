import { describe, expect, it } from 'vitest';
import { crc32 } from '../../platform/crc32.js';
import { magnitude, medianAngle, spreadRows } from './velocity-summary.js';

describe('the rows of the table', () => {
  it('are spread evenly and hold the first and the last', () => {
    expect(spreadRows(30, 10)).toEqual([0, 3, 6, 10, 13, 16, 19, 23, 26, 29]);
    expect(spreadRows(3, 10)).toEqual([0, 1, 2]);
    expect(spreadRows(1, 10)).toEqual([0]);
    expect(spreadRows(0, 10)).toEqual([]);
  });
});

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

describe('the checksum of ZIP', () => {
  it('is the published one, in one piece or in two', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(crc32(Buffer.from('6789'), crc32(Buffer.from('12345')))).toBe(0xcbf43926);
  });
});
