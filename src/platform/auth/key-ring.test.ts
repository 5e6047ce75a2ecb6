import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { KeyRing } from './key-ring.js';
import { loadSigningKeys, rotateSigningKeys } from './signing-keys.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-key-ring-'));
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

it('knows the key of a rotation at its first token, also after a look for a key that there was not', async () => {
  const paths = {
    privateKeyPath: path.join(folder, 'private.key'),
    publicKeyPath: path.join(folder, 'public.key'),
    previousPublicKeyPath: path.join(folder, 'previous-public.key'),
  };
  const ring = await KeyRing.open({ paths, tokenSeconds: 3600, logger: silentLogger });
  // Longer ago than looks for unknown keys have to be apart, not so long that the files are looked at in any case.
  vi.advanceTimersByTime(1_000);
  expect(await ring.verifying('made up')).toBeNull();

  await rotateSigningKeys(paths, { tokenSeconds: 3600, force: false });
  vi.advanceTimersByTime(1_000);
  const rotated = await loadSigningKeys(paths);
  expect(await ring.verifying(rotated?.signing.keyId ?? '')).not.toBeNull();
});
