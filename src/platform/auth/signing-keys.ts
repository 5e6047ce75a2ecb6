import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { lockFile } from '../file-lock.js';
import { replaceFile, writeNewFile } from '../whole-file.js';

export interface SigningKeys {
  /** RFC 7638 thumbprint of the public key: the `kid` of every token. */
  keyId: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export interface KeyPaths {
  privateKeyPath: string;
  publicKeyPath: string;
  /** Public half of the key that signed before the last rotation; missing where there was none. */
  previousPublicKeyPath: string;
}

/** One line that says what is wrong with the key files. */
export class SigningKeyError extends Error {
  override readonly name = 'SigningKeyError';
}

/** A key that signs no more. */
export interface RetiredKey {
  keyId: string;
  publicKey: KeyObject;
  /** When it was replaced. */
  since: Date;
}

export interface KeySet {
  signing: SigningKeys;
  previous: RetiredKey | null;
  /** The private key's permissions let other users of the machine read it. */
  exposed: boolean;
}

/** Reads the key files; makes a pair first when there is none. */
export async function loadOrCreateSigningKeys(paths: KeyPaths): Promise<KeySet & { created: boolean }> {
  const found = await loadSigningKeys(paths);
  if (found !== null) return { ...found, created: false };
  const created = await createSigningKeys(paths);
  const made = await loadSigningKeys(paths);
  if (made === null) throw new SigningKeyError(`${paths.privateKeyPath} vanished while it was made.`);
  return { ...made, created };
}

/**
 * Reads in such an order that every moment of a first start (private, then public) and of a rotation (previous, private,
 * then public) makes sense.
 * @returns null when there are no keys
 * @throws SigningKeyError when they are no good
 */
export async function loadSigningKeys(paths: KeyPaths): Promise<KeySet | null> {
  const publicFile = await read(paths.publicKeyPath);
  const privateFile = await read(paths.privateKeyPath);
  const previousFile = await read(paths.previousPublicKeyPath);
  if (privateFile === null) {
    if (publicFile === null) return null;
    throw new SigningKeyError(`${paths.privateKeyPath} is missing although ${paths.publicKeyPath} exists.`);
  }
  const signing = toSigningKeys(paths.privateKeyPath, privateFile.pem);
  const previous = previousFile === null ? null : toRetiredKey(paths.previousPublicKeyPath, previousFile);
  if (publicFile !== null) {
    const keyId = thumbprint(parse(paths.publicKeyPath, () => createPublicKey(publicFile.pem)));
    // Still the previous one: a rotation is at its last step, or was cut off before it.
    if (keyId !== signing.keyId && keyId !== previous?.keyId) {
      throw new SigningKeyError(`${paths.publicKeyPath} does not belong to ${paths.privateKeyPath}.`);
    }
  }
  return {
    signing,
    previous: previous?.keyId === signing.keyId ? null : previous,
    exposed: (privateFile.mode & 0o077) !== 0,
  };
}

/**
 * Makes an RSA pair, the private half readable by its owner only. An existing file is never overwritten.
 * @returns false when a private key was there already (or another process was first)
 */
export async function createSigningKeys(paths: KeyPaths): Promise<boolean> {
  const pair = await generatePair();
  // The private key decides who won; a crash between the two leaves a pair that can be completed from it.
  if (!(await writeNewFile(paths.privateKeyPath, pair.privateKey, 0o600))) return false;
  await writeNewFile(paths.publicKeyPath, pair.publicKey, 0o644);
  return true;
}

/** For tokens of the previous key that another machine signed before it noticed, and for clocks that differ. */
const OVERLAP_SECONDS = 120;

/** When the last token of a retired key has expired. */
export const retiresAt = ({ since }: RetiredKey, tokenSeconds: number): Date =>
  new Date(since.getTime() + (tokenSeconds + OVERLAP_SECONDS) * 1000);

/**
 * Puts a new pair in the place of the current one, whose public half stays beside it for the tokens that it has signed.
 * Cut off at any point, it leaves files that work; running again completes it.
 * @param options.force also when tokens of the key before the current one are still valid: they are refused then
 * @throws SigningKeyError when there are no keys yet, or the last rotation is too recent
 */
export async function rotateSigningKeys(
  paths: KeyPaths,
  { tokenSeconds, force }: { tokenSeconds: number; force: boolean },
): Promise<void> {
  await mkdir(path.dirname(paths.privateKeyPath), { recursive: true });
  const lock = await lockFile(`${paths.privateKeyPath}.lock`, 'keys rotate');
  try {
    const current = await loadSigningKeys(paths);
    if (current === null) throw new SigningKeyError(`There is no ${paths.privateKeyPath} yet to be replaced.`);
    const { previous, signing } = current;
    const until = previous === null ? null : retiresAt(previous, tokenSeconds);
    if (until !== null && until > new Date() && !force) {
      throw new SigningKeyError(
        `Tokens of the key before the current one are valid until ${until.toISOString()}; with --force they are refused.`,
      );
    }
    const pair = await generatePair();
    const retired = signing.publicKey.export({ type: 'spki', format: 'pem' });
    await replaceFile(paths.previousPublicKeyPath, retired, 0o644);
    await replaceFile(paths.privateKeyPath, pair.privateKey, 0o600);
    await replaceFile(paths.publicKeyPath, pair.publicKey, 0o644);
  } finally {
    await lock.release();
  }
}

function generatePair() {
  return promisify(generateKeyPair)('rsa', {
    modulusLength: 3072,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

interface KeyFile {
  pem: string;
  mode: number;
  modifiedAt: Date;
}

async function read(file: string): Promise<KeyFile | null> {
  try {
    const pem = await readFile(file, 'utf8');
    const { mode, mtime } = await stat(file);
    return { pem, mode, modifiedAt: mtime };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SigningKeyError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function toSigningKeys(file: string, pem: string): SigningKeys {
  const privateKey = parse(file, () => createPrivateKey(pem));
  if (privateKey.asymmetricKeyType !== 'rsa' || (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw new SigningKeyError(`${file} is not an RSA key of at least 2048 bits.`);
  }
  const publicKey = createPublicKey(privateKey);
  return { keyId: thumbprint(publicKey), privateKey, publicKey };
}

function toRetiredKey(file: string, { pem, modifiedAt }: KeyFile): RetiredKey {
  const publicKey = parse(file, () => createPublicKey(pem));
  return { keyId: thumbprint(publicKey), publicKey, since: modifiedAt };
}

function parse(file: string, work: () => KeyObject): KeyObject {
  try {
    return work();
  } catch (error) {
    throw new SigningKeyError(`${file} is not a PEM key.`, { cause: error });
  }
}

function thumbprint(publicKey: KeyObject): string {
  const { e, kty, n } = publicKey.export({ format: 'jwk' });
  // RFC 7638 section 3: exactly these members, in this order.
  return createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url');
}
