import { describe, expect, it } from 'vitest';
import { principalDirections } from './principal-directions.js';
import { createRandom } from './random.js';

describe('principalDirections', () => {
  it('finds the directions in which vectors differ, orthonormal', () => {
    const random = createRandom(1);
    // Spread of 1000 along (3, 4, 0, …) / 5, of 100 along the third axis, of 1 elsewhere.
    const values = Int16Array.from(
      Array.from({ length: 300 }, () => {
        const wide = 1000 * (random() - 0.5);
        const noise = Array.from({ length: 13 }, () => Math.round(random()));
        return [Math.round(0.6 * wide), Math.round(0.8 * wide), Math.round(100 * (random() - 0.5)), ...noise];
      }).flat(),
    );
    const directions = principalDirections(values, 300, 16, 4);
    const rows = [0, 1, 2, 3].map((row) => [...directions.subarray(16 * row, 16 * row + 16)]);
    expect(Math.abs(rows[0]![0]! * 0.6 + rows[0]![1]! * 0.8)).toBeGreaterThan(0.999);
    expect(Math.abs(rows[1]![2]!)).toBeGreaterThan(0.99);
    rows.forEach((a, i) => rows.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 9)));
  });

  it('leaves zeros where the vectors have no more directions', () => {
    const equal = Int16Array.from({ length: 8 * 5 }, (_, i) => i % 8);
    expect([...principalDirections(equal, 5, 8, 3)]).toEqual(new Array(24).fill(0));
    const onALine = Int16Array.from({ length: 8 * 5 }, (_, i) => Math.floor(i / 8));
    const directions = principalDirections(onALine, 5, 8, 3);
    expect(Math.hypot(...directions.subarray(0, 8))).toBeCloseTo(1, 9);
    expect([...directions.subarray(8)]).toEqual(new Array(16).fill(0));
  });
});

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
