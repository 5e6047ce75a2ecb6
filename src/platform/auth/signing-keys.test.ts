import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRsaKey } from '../../../tests/support/rsa-key.js';
import {
  createSigningKeys,
  loadOrCreateSigningKeys,
  loadSigningKeys,
  rotateSigningKeys,
  SigningKeyError,
  type KeyPaths,
} from './signing-keys.js';

describe('signing keys', () => {
  let folder: string;
  let paths: KeyPaths;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keys-'));
    paths = {
      privateKeyPath: path.join(folder, 'new', 'private.key'),
      publicKeyPath: path.join(folder, 'new', 'public.key'),
      previousPublicKeyPath: path.join(folder, 'new', 'previous-public.key'),
    };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are made once, the private half for its owner only, and stay the same', async () => {
    const first = await loadOrCreateSigningKeys(paths);
    const second = await loadOrCreateSigningKeys(paths);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.signing.keyId).toBe(first.signing.keyId);
    expect((await stat(paths.privateKeyPath)).mode & 0o777).toBe(0o600);
    expect(await readdir(path.dirname(paths.privateKeyPath))).toEqual(['private.key', 'public.key']);
  });

  it('are the same for all that start at the same time', async () => {
    const starts = await Promise.all(Array.from({ length: 4 }, () => loadOrCreateSigningKeys(paths)));
    expect(new Set(starts.map(({ signing }) => signing.keyId)).size).toBe(1);
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
    const { signing } = await loadOrCreateSigningKeys(paths);
    await rm(paths.publicKeyPath);
    expect((await loadOrCreateSigningKeys(paths)).signing.keyId).toBe(signing.keyId);
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

  describe('rotated', () => {
    const rotate = (force = false) => rotateSigningKeys(paths, { tokenSeconds: 3600, force });
    /** Made faster than those of a first start. */
    const writeKeys = async () => {
      const privateKey = makeRsaKey();
      await mkdir(path.dirname(paths.privateKeyPath));
      await writeFile(paths.privateKeyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      await writeFile(paths.publicKeyPath, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
    };
    const load = async () => {
      const keys = await loadSigningKeys(paths);
      if (keys === null) throw new Error('There are no keys.');
      return keys;
    };
    const makeOlder = (seconds: number) => {
      const then = new Date(Date.now() - seconds * 1000);
      return utimes(paths.previousPublicKeyPath, then, then);
    };

    it('sign with a new one, and keep the one before', async () => {
      await writeKeys();
      const before = await load();
      await rotate();
      const after = await load();
      expect(after.signing.keyId).not.toBe(before.signing.keyId);
      expect(after.previous?.keyId).toBe(before.signing.keyId);
      expect((await stat(paths.privateKeyPath)).mode & 0o777).toBe(0o600);
      expect(after.exposed).toBe(false);
      expect((await readdir(path.dirname(paths.privateKeyPath))).filter((name) => name.endsWith('.new'))).toEqual([]);
    });

    it('are not rotated again while tokens of the key before are valid, unless that is meant', async () => {
      await writeKeys();
      await rotate();
      const first = await load();
      await expect(rotate()).rejects.toThrow(/Tokens of the key before the current one are valid until 20/);
      expect((await load()).signing.keyId).toBe(first.signing.keyId);
      await rotate(true);
      expect((await load()).previous?.keyId).toBe(first.signing.keyId);
      await makeOlder(3600 + 121);
      await rotate();
    });

    it('work wherever a rotation was cut off, and can be rotated then', async () => {
      await writeKeys();
      const { signing } = await load();
      await copyFile(paths.publicKeyPath, paths.previousPublicKeyPath);
      expect(await load()).toMatchObject({ signing: { keyId: signing.keyId }, previous: null });
      await writeFile(paths.privateKeyPath, makeRsaKey().export({ type: 'pkcs8', format: 'pem' }));
      const cutOff = await load();
      expect(cutOff.signing.keyId).not.toBe(signing.keyId);
      expect(cutOff.previous?.keyId).toBe(signing.keyId);
      await rotate(true);
      expect((await load()).previous?.keyId).toBe(cutOff.signing.keyId);
    });

    it('one at a time', async () => {
      await writeKeys();
      const ends = await Promise.allSettled([rotate(), rotate()]);
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await load()).previous).not.toBeNull();
    });

    it('have to be there first', async () => {
      await expect(rotate()).rejects.toThrow(/There is no .*private\.key yet/);
    });
  });
});
