import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomUUID,
  type KeyObject,
} from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

export interface SigningKeys {
  /** RFC 7638 thumbprint of the public key: the `kid` of every token. */
  keyId: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export interface KeyPaths {
  privateKeyPath: string;
  publicKeyPath: string;
}

/** One line that says what is wrong with the key files. */
export class SigningKeyError extends Error {
  override readonly name = 'SigningKeyError';
}

interface LoadedKeys {
  keys: SigningKeys;
  /** Made here and now. */
  created: boolean;
  /** The private key's permissions let other users of the machine read it. */
  exposed: boolean;
}

/** Reads the pair; makes one first when both files are missing. */
export async function loadOrCreateSigningKeys(paths: KeyPaths): Promise<LoadedKeys> {
  // In this order: the private key is made first, so who finds the public one finds that too.
  const publicPem = await read(paths.publicKeyPath);
  const privatePem = await read(paths.privateKeyPath);
  if (privatePem !== null) {
    const { mode } = await stat(paths.privateKeyPath);
    return { keys: toSigningKeys(paths, privatePem, publicPem), created: false, exposed: (mode & 0o077) !== 0 };
  }
  if (publicPem !== null) {
    throw new SigningKeyError(`${paths.privateKeyPath} is missing although ${paths.publicKeyPath} exists.`);
  }
  const created = await createSigningKeys(paths);
  const [newPrivate, newPublic] = await Promise.all([read(paths.privateKeyPath), read(paths.publicKeyPath)]);
  if (newPrivate === null) throw new SigningKeyError(`${paths.privateKeyPath} vanished while it was made.`);
  return { keys: toSigningKeys(paths, newPrivate, newPublic), created, exposed: false };
}

/**
 * Makes an RSA pair, the private half readable by its owner only. An existing file is never overwritten.
 * @returns false when a private key was there already (or another process was first)
 */
export async function createSigningKeys(paths: KeyPaths): Promise<boolean> {
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 3072,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  // The private key decides who won; a crash between the two leaves a pair that can be completed from it.
  if (!(await writeNew(paths.privateKeyPath, pair.privateKey, 0o600))) return false;
  await writeNew(paths.publicKeyPath, pair.publicKey, 0o644);
  return true;
}

async function read(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SigningKeyError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Whole or not at all: written aside, then linked, which fails if the name is taken. */
async function writeNew(file: string, content: string, mode: number): Promise<boolean> {
  await mkdir(path.dirname(file), { recursive: true });
  const aside = `${file}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(aside, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

function toSigningKeys(paths: KeyPaths, privatePem: string, publicPem: string | null): SigningKeys {
  const privateKey = parse(paths.privateKeyPath, () => createPrivateKey(privatePem));
  const derived = createPublicKey(privateKey);
  const publicKey = publicPem === null ? derived : parse(paths.publicKeyPath, () => createPublicKey(publicPem));
  if (privateKey.asymmetricKeyType !== 'rsa' || (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw new SigningKeyError(`${paths.privateKeyPath} is not an RSA key of at least 2048 bits.`);
  }
  if (!publicKey.equals(derived)) {
    throw new SigningKeyError(`${paths.publicKeyPath} does not belong to ${paths.privateKeyPath}.`);
  }
  return { keyId: thumbprint(publicKey), privateKey, publicKey };
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
  return createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url');
}
