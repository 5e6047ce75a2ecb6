import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeNewFile } from '../whole-file.js';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

/** The key file cannot be used, or does not fit what was sealed. */
export class SecretBoxError extends Error {
  override readonly name = 'SecretBoxError';
}

/** Seals secrets that have to be read again, so that a copy of the database alone gives none away. */
export class SecretBox {
  constructor(private readonly key: Buffer) {}

  /** Reads the key; makes one first, for its owner only, when the file is missing. */
  static async open(file: string): Promise<SecretBox> {
    const key = await readKey(file);
    if (key !== null) return new SecretBox(key);
    await writeNewFile(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`, 0o600);
    // Whoever was first: there is one key.
    const made = await readKey(file);
    if (made === null) throw new SecretBoxError(`${file} vanished while it was made.`);
    return new SecretBox(made);
  }

  /** @param owner what the secret belongs to: sealed for one, it cannot be opened for another */
  seal(secret: string, owner: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return [VERSION, ...[nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join('.');
  }

  /** @throws SecretBoxError when it was sealed with another key, for another owner, or changed since */
  open(sealed: string, owner: string): string {
    const [version, ...parts] = sealed.split('.');
    const [nonce, tag, content] = parts.map((part) => Buffer.from(part, 'base64url'));
    try {
      if (version !== VERSION || parts.length !== 3) throw new Error('unknown form');
      const decipher = createDecipheriv(ALGORITHM, this.key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(owner));
      decipher.setAuthTag(tag);
      return Buffer.concat([decipher.update(content), decipher.final()]).toString('utf8');
    } catch (error) {
      throw new SecretBoxError('A sealed secret cannot be opened with this key.', { cause: error });
    }
  }
}

async function readKey(file: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SecretBoxError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== KEY_BYTES) throw new SecretBoxError(`${file} does not hold ${KEY_BYTES} bytes in base64.`);
  return key;
}
