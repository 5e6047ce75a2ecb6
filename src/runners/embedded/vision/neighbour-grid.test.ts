import { describe, expect, it } from 'vitest';
import { NeighbourGrid } from './neighbour-grid.js';
import { createRandom } from './random.js';

describe('NeighbourGrid', () => {
  it.each([
    ['spread over the picture', (random: () => number) => [640 * random(), 480 * random()]],
    ['on a line', (random: () => number) => [640 * random(), 100]],
    ['in two heaps', (random: () => number) => [5 * random() + (random() < 0.5 ? 0 : 600), 5 * random()]],
    ['in one place', () => [20, 20]],
  ])('finds what a full search finds among points %s', (_name, place) => {
    const random = createRandom(4);
    const count = 200;
    const points = Float64Array.from(Array.from({ length: count }, () => place(random)).flat());
    const chosen = Uint8Array.from({ length: count }, () => (random() < 0.7 ? 1 : 0));
    const grid = new NeighbourGrid(points, chosen);
    const found = new Int32Array(6);
    const distances = new Float64Array(6);
    for (let query = 0; query < 100; query++) {
      const [x, y] = [900 * random() - 130, 700 * random() - 110];
      const expected = Array.from(chosen.keys())
        .filter((i) => chosen[i] === 1)
        .map((i) => (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2)
        .sort((a, b) => a - b)
        .slice(0, 6);
      expect(grid.nearest(x, y, found, distances)).toBe(6);
      expect(Array.from(distances)).toEqual(expected);
      found.forEach((index, k) =>
        expect((points[2 * index] - x) ** 2 + (points[2 * index + 1] - y) ** 2).toBe(distances[k]),
      );
    }
  });

  it('finds nothing where there is nothing', () => {
    const grid = new NeighbourGrid(Float64Array.of(1, 2), Uint8Array.of(0));
    expect(grid.nearest(0, 0, new Int32Array(3), new Float64Array(3))).toBe(0);
  });
});
