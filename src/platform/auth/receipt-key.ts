import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { calculateJwkThumbprint, CompactSign } from 'jose';
import { lockFile } from '../file-lock.js';
import type { Logger } from '../logging/logger.js';
import { replaceFile, writeNewFile } from '../whole-file.js';
import { SigningKeyError } from './signing-keys.js';

/** A public key of receipts as others can fetch it (RFC 8037). */
export interface PublishedReceiptKey {
  kty: 'OKP';
  crv: 'Ed25519';
  use: 'sig';
  alg: 'EdDSA';
  /** RFC 7638 thumbprint. */
  kid: string;
  x: string;
}

export interface ReceiptKey {
  privateKey: KeyObject;
  published: PublishedReceiptKey;
}

/** What was read this long ago is looked at again before it is used: that is how a rotation becomes known. */
const CHECK_MS = 2_000;

/** The key that signs receipts, as it lies in its file. */
export class ReceiptKeyFile {
  private checkedAt = performance.now();

  private constructor(
    private key: ReceiptKey,
    private readonly file: string,
    private readonly logger: Logger,
  ) {}

  /** Makes a key first, for its owner only, when there is none. @throws SigningKeyError */
  static async open(file: string, logger: Logger): Promise<ReceiptKeyFile> {
    const found = await readReceiptKey(file);
    if (found !== null) {
      const isExposed = ((await stat(file)).mode & 0o077) !== 0;
      if (isExposed) logger.warn('Other users can read the key of receipts; run chmod 600 on it', { file });
      return new ReceiptKeyFile(found, file, logger);
    }
    if (await writeNewFile(file, newKey(), 0o600)) logger.info('Made a key for receipts', { file });
    // Whoever was first: there is one key.
    const made = await readReceiptKey(file);
    if (made === null) throw new SigningKeyError(`${file} vanished while it was made.`);
    return new ReceiptKeyFile(made, file, logger);
  }

  /** The key that signs now. One that cannot be read leaves the one before in its place. */
  async current(): Promise<ReceiptKey> {
    if (performance.now() - this.checkedAt < CHECK_MS) return this.key;
    this.checkedAt = performance.now();
    try {
      const found = await readReceiptKey(this.file);
      if (found === null) throw new SigningKeyError(`${this.file} is missing.`);
      this.key = found;
    } catch (error) {
      this.logger.warn('The key of receipts cannot be read; going on with the one that is known', { error });
    }
    return this.key;
  }
}

/** @returns a JWS in compact form */
export function signReceipt(payload: string, type: string, { privateKey, published }: ReceiptKey): Promise<string> {
  return new CompactSign(Buffer.from(payload, 'utf8'))
    .setProtectedHeader({ alg: published.alg, kid: published.kid, typ: type })
    .sign(privateKey);
}

/** @returns null when there is none. @throws SigningKeyError */
export async function readReceiptKey(file: string): Promise<ReceiptKey | null> {
  let pem: string;
  try {
    pem = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SigningKeyError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const privateKey = parse(file, pem);
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (privateKey.asymmetricKeyType !== 'ed25519' || x === undefined) {
    throw new SigningKeyError(`${file} is not an Ed25519 key.`);
  }
  const members = { kty: 'OKP', crv: 'Ed25519', x } as const;
  const kid = await calculateJwkThumbprint(members);
  return { privateKey, published: { ...members, use: 'sig', alg: 'EdDSA', kid } };
}

/**
 * Puts a new key in the place of the current one. What that has signed can be verified for good: its public half is
 * kept with the receipts.
 * @throws SigningKeyError when there is no key yet
 */
export async function rotateReceiptKey(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const lock = await lockFile(`${file}.lock`, 'keys rotate');
  try {
    if ((await readReceiptKey(file)) === null) throw new SigningKeyError(`There is no ${file} yet to be replaced.`);
    await replaceFile(file, newKey(), 0o600);
  } finally {
    await lock.release();
  }
}

const newKey = (): string =>
  generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey;

function parse(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new SigningKeyError(`${file} is not a private key in PEM.`, { cause: error });
  }
}
