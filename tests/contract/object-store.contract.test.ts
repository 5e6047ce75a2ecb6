import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LocalObjectStore } from '../../src/platform/storage/local.store.js';
import { describeObjectStore } from './object-store.js';

describeObjectStore('local disk', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'object-store-'));
  return {
    store: await LocalObjectStore.open(folder),
    staged: async () => (await readdir(path.join(folder, 'staging'))).length,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
