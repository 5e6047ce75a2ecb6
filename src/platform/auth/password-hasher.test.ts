import { describe, expect, it } from 'vitest';
import { PasswordHasher } from './password-hasher.js';

const hasher = new PasswordHasher(4);

describe('PasswordHasher', () => {
  it('knows its own passwords, each hashed with a salt of its own', async () => {
    const [first, second] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')]);
    expect(first).not.toBe(second);
    expect(first).toMatch(/^\$2[ab]\$04\$/);
    expect(await hasher.verify('correct horse', first)).toBe(true);
    expect(await hasher.verify('Correct horse', first)).toBe(false);
    expect(await hasher.verify('', first)).toBe(false);
  });

  it('takes 72 bytes and not one more: bcrypt would cut the rest without a word', async () => {
    const longest = `${'é'.repeat(35)}ab`;
    const hash = await hasher.hash(longest);
    expect(await hasher.verify(longest, hash)).toBe(true);
    expect(await hasher.verify(`${longest}x`, hash)).toBe(false);
    await expect(hasher.hash(`${longest}x`)).rejects.toThrow(RangeError);
  });

  it('refuses NUL, at which bcrypt might stop reading', async () => {
    await expect(hasher.hash('abc\0def')).rejects.toThrow(RangeError);
    expect(await hasher.verify('abc\0def', await hasher.hash('abc'))).toBe(false);
  });

  it('says no without an account, also to its own decoy', async () => {
    expect(await hasher.verify('anything', null)).toBe(false);
    expect(await hasher.verify('decoy', null)).toBe(false);
  });
});
