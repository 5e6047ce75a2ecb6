import { describe, expect, it } from 'vitest';
import { findUnstorable } from './storable-json.js';

describe('findUnstorable', () => {
  it('lets through what JSON can say', () => {
    expect(findUnstorable({ a: [1, -0.5, true, null, 'Größe 🚀'], b: {} })).toBeNull();
  });

  it.each([
    ['a.1', { a: ['x', 'y\0'] }],
    ['a', { a: '\ud83d' }],
    ['b\0', { 'b\0': 1 }],
    ['a', { a: JSON.parse('1e999') as unknown }],
  ])('finds %j', (path, value) => {
    expect(findUnstorable(value)?.join('.')).toBe(path);
  });
});
