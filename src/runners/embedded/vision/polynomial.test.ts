import { describe, expect, it } from 'vitest';
import { realRoots } from './polynomial.js';

describe('realRoots', () => {
  it('finds all real roots and no others, ascending', () => {
    // (x + 3)(x - 0.5)(x - 2)(x^2 + 1)
    const roots = realRoots(Float64Array.of(3, -6.5, 3.5, -5.5, 0.5, 1), -100, 100);
    expect(roots).toHaveLength(3);
    [-3, 0.5, 2].forEach((root, i) => expect(roots[i]).toBeCloseTo(root, 10));
  });

  it('finds the ten roots of a polynomial of degree ten', () => {
    const expected = [-7, -4, -2.5, -1, -0.25, 0.1, 1.5, 3, 6, 9];
    const roots = realRoots(Float64Array.from(expected.reduce(withRoot, [1])), -1e4, 1e4);
    expect(roots).toHaveLength(10);
    expected.forEach((root, i) => expect(roots[i]).toBeCloseTo(root, 6));
  });

  it('keeps to its interval and counts a double root once', () => {
    expect(realRoots(Float64Array.from([2, 2, 5].reduce(withRoot, [1])), 0, 4).map((root) => Math.round(root))).toEqual(
      [2],
    );
  });

  it('has no roots for constants, the zero polynomial and sums of squares', () => {
    expect(realRoots(Float64Array.of(4), -10, 10)).toEqual([]);
    expect(realRoots(Float64Array.of(0, 0, 0), -10, 10)).toEqual([]);
    expect(realRoots(Float64Array.of(1, 0, 1), -10, 10)).toEqual([]);
  });
});

/** Coefficients times (x - root). */
function withRoot(coefficients: number[], root: number): number[] {
  return [...coefficients, 0].map((_, power) => (coefficients[power - 1] ?? 0) - root * (coefficients[power] ?? 0));
}
