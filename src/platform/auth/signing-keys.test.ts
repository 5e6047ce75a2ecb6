import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRsaKey } from '../../../tests/support/rsa-key.js';
import { createSigningKeys, loadOrCreateSigningKeys, SigningKeyError, type KeyPaths } from './signing-keys.js';

describe('signing keys', () => {
  let folder: string;
  let paths: KeyPaths;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keys-'));
    paths = {
      privateKeyPath: path.join(folder, 'new', 'private.key'),
      publicKeyPath: path.join(folder, 'new', 'public.key'),
    };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are made once, the private half for its owner only, and stay the same', async () => {
    const first = await loadOrCreateSigningKeys(paths);
    const second = await loadOrCreateSigningKeys(paths);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.keys.keyId).toBe(first.keys.keyId);
    expect((await stat(paths.privateKeyPath)).mode & 0o777).toBe(0o600);
    expect(await readdir(path.dirname(paths.privateKeyPath))).toEqual(['private.key', 'public.key']);
  });

  it('are the same for all that start at the same time', async () => {
    const starts = await Promise.all(Array.from({ length: 4 }, () => loadOrCreateSigningKeys(paths)));
    expect(new Set(starts.map(({ keys }) => keys.keyId)).size).toBe(1);
    expect(starts.filter(({ created }) => created)).toHaveLength(1);
    expect(await readdir(path.dirname(paths.privateKeyPath))).toEqual(['private.key', 'public.key']);
  });

  it('are never overwritten', async () => {
    expect(await createSigningKeys(paths)).toBe(true);
    const before = await readFile(paths.privateKeyPath, 'utf8');
    expect(await createSigningKeys(paths)).toBe(false);
    expect(await readFile(paths.privateKeyPath, 'utf8')).toBe(before);
  });

  it('do without the public half, which follows from the private one', async () => {
    const { keys } = await loadOrCreateSigningKeys(paths);
    await rm(paths.publicKeyPath);
    expect((await loadOrCreateSigningKeys(paths)).keys.keyId).toBe(keys.keyId);
  });

  it('are refused without the private half, rather than made anew', async () => {
    await createSigningKeys(paths);
    await rm(paths.privateKeyPath);
    await expect(loadOrCreateSigningKeys(paths)).rejects.toThrow(
      /private\.key is missing although .*public\.key exists/,
    );
  });

  it('are refused when the halves do not belong together', async () => {
    await createSigningKeys(paths);
    const publicKey = createPublicKey(makeRsaKey());
    await writeFile(paths.publicKeyPath, publicKey.export({ type: 'spki', format: 'pem' }));
    await expect(loadOrCreateSigningKeys(paths)).rejects.toThrow(/public\.key does not belong to/);
  });

  it.each([
    ['too short', () => makeRsaKey(1024)],
    ['of another kind', () => generateKeyPairSync('ed25519').privateKey],
  ])('are refused when they are %s', async (_name, make) => {
    await createSigningKeys(paths);
    await rm(paths.publicKeyPath);
    await writeFile(paths.privateKeyPath, make().export({ type: 'pkcs8', format: 'pem' }));
    await expect(loadOrCreateSigningKeys(paths)).rejects.toThrow(/is not an RSA key of at least 2048 bits/);
  });

  it('are refused when they are no keys, without showing what they are', async () => {
    await createSigningKeys(paths);
    await writeFile(paths.privateKeyPath, 'my secret');
    const refusal = await loadOrCreateSigningKeys(paths).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SigningKeyError);
    expect((refusal as Error).message).toMatch(/is not a PEM key\.$/);
  });
});
