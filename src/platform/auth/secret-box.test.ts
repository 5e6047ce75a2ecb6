import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecretBox, SecretBoxError } from './secret-box.js';

describe('SecretBox', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'secret-box-'));
    file = path.join(folder, 'keys', 'secrets.key');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('opens what it has sealed, never sealed the same way twice', async () => {
    const box = await SecretBox.open(file);
    const sealed = box.seal('whsec_abc', 'owner');
    expect(sealed).not.toContain('abc');
    expect(box.seal('whsec_abc', 'owner')).not.toBe(sealed);
    expect(box.open(sealed, 'owner')).toBe('whsec_abc');
    expect((await SecretBox.open(file)).open(sealed, 'owner')).toBe('whsec_abc');
  });

  it('makes one key, for its owner only, however many start at once', async () => {
    const boxes = await Promise.all(Array.from({ length: 8 }, () => SecretBox.open(file)));
    const sealed = boxes[0].seal('x', 'owner');
    expect(boxes.map((box) => box.open(sealed, 'owner'))).toEqual(boxes.map(() => 'x'));
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  it('opens nothing for another owner, with another key, or changed', async () => {
    const box = await SecretBox.open(file);
    const sealed = box.seal('secret', 'owner');
    expect(() => box.open(sealed, 'other')).toThrow(SecretBoxError);
    expect(() => box.open(`${sealed.slice(0, -2)}AA`, 'owner')).toThrow(SecretBoxError);
    for (const text of ['', 'v2.a.b.c', 'v1.a', 'v1...']) expect(() => box.open(text, 'owner')).toThrow(SecretBoxError);
    const other = await SecretBox.open(path.join(folder, 'other.key'));
    expect(() => other.open(sealed, 'owner')).toThrow(SecretBoxError);
  });

  it('says which file is no key', async () => {
    await SecretBox.open(file);
    await writeFile(file, (await readFile(file, 'utf8')).slice(4));
    await expect(SecretBox.open(file)).rejects.toThrow(file);
  });
});
