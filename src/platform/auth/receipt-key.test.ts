import { createPrivateKey } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { makeRsaKey } from '../../../tests/support/rsa-key.js';
import { readReceiptKey, ReceiptKeyFile, rotateReceiptKey } from './receipt-key.js';

describe('the key of receipts', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'receipt-key-'));
    file = path.join(folder, 'keys', 'receipt.key');
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });
  const kidOf = async () => (await readReceiptKey(file))?.published.kid;

  it('is made once, for its owner only, however many ask', async () => {
    const opened = await Promise.all([1, 2, 3, 4].map(() => ReceiptKeyFile.open(file, silentLogger)));
    const kids = await Promise.all(opened.map(async (one) => (await one.current()).published.kid));
    expect(new Set(kids).size).toBe(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(createPrivateKey(await readFile(file)).asymmetricKeyType).toBe('ed25519');
  });

  it('is replaced under whoever has it open, who notices', async () => {
    const opened = await ReceiptKeyFile.open(file, silentLogger);
    const before = await kidOf();
    expect((await opened.current()).published.kid).toBe(before);
    await rotateReceiptKey(file);
    expect(await kidOf()).not.toBe(before);
    const now = performance.now();
    vi.spyOn(performance, 'now').mockReturnValue(now + 2_500);
    expect((await opened.current()).published.kid).toBe(await kidOf());
    // What cannot be read later leaves it in its place.
    const kid = await kidOf();
    await rm(file);
    vi.spyOn(performance, 'now').mockReturnValue(now + 10_000);
    expect((await opened.current()).published.kid).toBe(kid);
  });

  it('cannot be replaced before there is one', async () => {
    await expect(rotateReceiptKey(file)).rejects.toThrow(/There is no .* yet/);
    expect(await readReceiptKey(file)).toBeNull();
  });

  it('is told to be no good when it is not one', async () => {
    await ReceiptKeyFile.open(file, silentLogger);
    for (const [content, complaint] of [
      ['nonsense', /not a private key/],
      [makeRsaKey().export({ type: 'pkcs8', format: 'pem' }), /not an Ed25519 key/],
    ] as const) {
      await chmod(file, 0o600);
      await writeFile(file, content);
      await expect(ReceiptKeyFile.open(file, silentLogger)).rejects.toThrow(complaint);
    }
  });
});
