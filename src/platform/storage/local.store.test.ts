import { mkdtemp, rm, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalObjectStore } from './local.store.js';

describe('LocalObjectStore', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-store-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('counts the age of an object from its commit, however long it lay in staging', async () => {
    const store = await LocalObjectStore.open(folder);
    const staged = await store.stage(Readable.from([Buffer.from('x')]), {
      signal: new AbortController().signal,
      maxBytes: 10,
    });
    const longAgo = new Date(Date.now() - 48 * 3600 * 1000);
    await utimes(staged.path, longAgo, longAgo);
    await staged.commit('results/new/folders/a.zip');
    const found = [];
    for await (const object of store.list('results/')) found.push(object);
    expect(found).toHaveLength(1);
    expect(Date.now() - found[0].modifiedAt.getTime()).toBeLessThan(60_000);
  });
});
