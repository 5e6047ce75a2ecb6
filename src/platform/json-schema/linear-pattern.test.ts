import { describe, expect, it } from 'vitest';
import { linearPattern } from './linear-pattern.js';

describe('linearPattern', () => {
  it.each([
    ['^(SIFT|ORB)(:[0-3]{1,4})?$', 'ORB:02', 'ORB:4'],
    ['^\\d{4}-\\d{2}$', '2026-11', '2026-1'],
    ['^\\p{L}+$', 'Größe', 'a1'],
    ['^\\u0041$', 'A', 'B'],
    ['b', 'abc', 'ac'],
  ])('matches as JavaScript does: %s', (pattern, fitting, other) => {
    const { test } = linearPattern(pattern);
    expect([test(fitting), test(other)]).toEqual([true, false]);
    expect([new RegExp(pattern, 'u').test(fitting), new RegExp(pattern, 'u').test(other)]).toEqual([true, false]);
  });

  it('is told apart by its text', () => {
    expect(String(linearPattern('^a$'))).toBe('^a$');
  });

  it.each(['(?=a)b', '(?<!a)b', '(a)\\1', '(', 'a{2000}'])('refuses %s, and says why', (pattern) => {
    expect(() => linearPattern(pattern)).toThrow(/linear time/);
  });

  it.each(['(a?){900}', '([a-m]{9}x){60}', 'a'.repeat(501)])('refuses what is too large', (pattern) => {
    expect(() => linearPattern(pattern)).toThrow(SyntaxError);
  });

  it('ends where the engine of JavaScript would not in a lifetime', () => {
    const text = `${'a'.repeat(50_000)}!`;
    expect(linearPattern('^(a+)+$').test(text)).toBe(false);
    expect(linearPattern('^(a|aa)*$').test(text)).toBe(false);
  });
});
