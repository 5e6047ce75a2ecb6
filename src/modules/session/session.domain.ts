import { createHash, randomBytes } from 'node:crypto';
import type { ClientOrigin } from '../account/account.domain.js';

/** Why a session ended before its time. */
export const END_REASONS = ['logout', 'password-changed', 'token-reused', 'user-disabled'] as const;
export type EndReason = (typeof END_REASONS)[number];

export interface Session {
  id: string;
  userId: string;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  address: string | null;
  userAgent: string | null;
}

export interface NewSession {
  userId: string;
  client: ClientOrigin;
  familyHash: string;
  secretHash: string;
}

/** How long a session lives. */
export interface SessionTimes {
  /** Without being refreshed. */
  idleSeconds: number;
  /** However often it is refreshed. */
  longestSeconds: number;
}

/**
 * Two random halves: one names the family, the chain of tokens that began with a login, and one changes with each use.
 * Whoever shows a family with a wrong secret has held an older token of it: that is how reuse is known, without keeping
 * the tokens that are spent.
 */
export interface RefreshToken {
  family: string;
  secret: string;
}

const FAMILY_BYTES = 16;
const SECRET_BYTES = 32;
const FORM = /^inr_([\w-]{22})([\w-]{43})$/;

export function newRefreshToken(family: string = randomText(FAMILY_BYTES)): RefreshToken {
  return { family, secret: randomText(SECRET_BYTES) };
}

export function parseRefreshToken(text: string): RefreshToken | null {
  const parts = FORM.exec(text);
  return parts === null ? null : { family: parts[1], secret: parts[2] };
}

export const refreshTokenText = ({ family, secret }: RefreshToken): string => `inr_${family}${secret}`;

/** What is kept of a secret. It is random and long, so a fast hash will do. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

const randomText = (bytes: number): string => randomBytes(bytes).toString('base64url');
