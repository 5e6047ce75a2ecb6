import { describe, expect, it } from 'vitest';
import { GoalCache, goalKey } from './goal-cache.js';

const size = (text: string) => text.length;

describe('GoalCache', () => {
  it('makes a value once', async () => {
    const cache = new GoalCache(100);
    const value = { text: 'value' };
    expect(
      await cache.remember(
        'a',
        () => value,
        () => 5,
      ),
    ).toBe(value);
    expect(
      await cache.remember(
        'a',
        () => ({ text: 'other' }),
        () => 5,
      ),
    ).toBe(value);
    expect(cache.bytes).toBe(5);
  });

  it('lets go of the least recently used when it becomes too much', async () => {
    const cache = new GoalCache(10);
    await cache.remember('a', () => 'aaaa', size);
    await cache.remember('b', () => 'bbbb', size);
    await cache.remember('a', () => 'new', size);
    await cache.remember('c', () => 'cccc', size);
    expect(cache.bytes).toBe(8);
    expect(await cache.remember('a', () => 'new', size)).toBe('aaaa');
    expect(await cache.remember('b', () => 'new', size)).toBe('new');
  });

  it('stays within its bounds, whatever comes', async () => {
    const cache = new GoalCache(1000);
    for (let i = 0; i < 500; i++) {
      await cache.remember(`${i}`, () => 'x'.repeat(i % 300), size);
      expect(cache.bytes).toBeLessThanOrEqual(1000);
    }
  });

  it('does not keep what is too large on its own, nor push others out for it', async () => {
    const cache = new GoalCache(5);
    await cache.remember('a', () => 'aaaa', size);
    expect(await cache.remember('b', () => 'bbbbbb', size)).toBe('bbbbbb');
    expect(await cache.remember('a', () => 'new', size)).toBe('aaaa');
  });

  it('keeps nothing of a failure', async () => {
    const cache = new GoalCache(10);
    await expect(cache.remember('a', () => Promise.reject(new Error('no')), size)).rejects.toThrow('no');
    expect(await cache.remember('a', () => 'yes', size)).toBe('yes');
  });
});

describe('goalKey', () => {
  const frame = { gray: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 3, height: 2 };

  it('is the same for the same picture and detector only', () => {
    const key = goalKey('ORB', frame);
    expect(goalKey('ORB', { ...frame, gray: frame.gray.slice() })).toBe(key);
    expect(goalKey('ORB:1', frame)).not.toBe(key);
    expect(goalKey('ORB', { ...frame, width: 2, height: 3 })).not.toBe(key);
    expect(goalKey('ORB', { ...frame, gray: Uint8Array.of(1, 2, 3, 4, 5, 7) })).not.toBe(key);
  });
});
