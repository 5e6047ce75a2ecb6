import { createHash, randomBytes } from 'node:crypto';
import type { Scope } from '../../contract/route.contract.js';

export interface ApiKey {
  id: string;
  userId: string;
  name: string;
  prefix: string;
  scopes: readonly Scope[];
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

export interface NewApiKey {
  name: string;
  scopes: readonly Scope[];
  expiresAt: Date | null;
}

const KEY_PREFIX = 'ink_';
const SECRET_BYTES = 32;
/** Enough for a person to tell keys apart, and nothing to guess the rest by. */
const SHOWN_CHARACTERS = 10;

export interface KeySecret {
  /** The whole key, for the user only. */
  text: string;
  prefix: string;
  hash: string;
}

export function newKeySecret(): KeySecret {
  const text = `${KEY_PREFIX}${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { text, prefix: text.slice(0, SHOWN_CHARACTERS), hash: hashOfKey(text) };
}

/** Tells keys from other bearer tokens, without saying that they are right. */
export const looksLikeApiKey = (token: string): boolean => token.startsWith(KEY_PREFIX);

/** The key is random and long, so a fast hash will do; looking it up by its hash tells nothing by its time. */
export const hashOfKey = (text: string): string => createHash('sha256').update(text).digest('base64url');
