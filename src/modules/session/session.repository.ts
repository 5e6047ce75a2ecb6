import { randomUUID } from 'node:crypto';
import { notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page, type PageRequest } from '../../platform/page.js';
import { UserDao } from '../account/account.dao.js';
import type { ClientOrigin } from '../account/account.domain.js';
import { SessionDao, type SessionRow } from './session.dao.js';
import {
  hashOf,
  newRefreshToken,
  refreshTokenText,
  type EndReason,
  type RefreshToken,
  type Session,
  type SessionTimes,
} from './session.domain.js';

export interface OpenedSession {
  session: Session;
  /** Shown to the user now and never again. */
  refreshToken: string;
}

/** A user with this many sessions loses the one unused longest at the next login: programs that log in for each call. */
const MOST_SESSIONS = 100;
/** A browser's tabs, or a request and its repetition, may send the same refresh token this close to each other. */
const TWIN_SECONDS = 10;
/** Dead sessions are known for so long: their networks are those that a user comes from. */
const DEAD_SECONDS = 30 * 86_400;
const BATCH = 500;

/** Logins and what became of them. Ends are announced in the transaction, so that open connections end with it. */
export class SessionRepository {
  private readonly sessions: SessionDao;
  private readonly users: UserDao;

  constructor(scope: DatabaseScope) {
    this.sessions = new SessionDao(scope);
    this.users = new UserDao(scope);
  }

  async open(userId: string, client: ClientOrigin, times: SessionTimes): Promise<OpenedSession> {
    const token = newRefreshToken();
    const { family, secret } = token;
    const hashes = { familyHash: hashOf(family), secretHash: hashOf(secret) };
    const removed = await this.sessions.keepLatest(userId, MOST_SESSIONS - 1);
    if (removed > 0) await this.users.announceAccessChange(userId);
    const row = await this.sessions.open(randomUUID(), { userId, client, ...hashes }, times);
    return { session: toSession(row), refreshToken: refreshTokenText(token) };
  }

  /** Null unless the token is the current one of a live session of an active user; of two at once one gets the next. */
  async rotate(
    { family, secret }: RefreshToken,
    client: ClientOrigin,
    times: SessionTimes,
  ): Promise<OpenedSession | null> {
    const next = newRefreshToken(family);
    const hashes = { familyHash: hashOf(family), shownHash: hashOf(secret), nextHash: hashOf(next.secret) };
    const row = await this.sessions.rotate(hashes, client, times);
    return row === null ? null : { session: toSession(row), refreshToken: refreshTokenText(next) };
  }

  wasJustSpent({ family, secret }: RefreshToken): Promise<boolean> {
    return this.sessions.wasJustSpent(hashOf(family), hashOf(secret), TWIN_SECONDS);
  }

  /** Ends the live session whose family the token names, though not with its current secret. */
  async endReused({ family, secret }: RefreshToken): Promise<{ id: string; userId: string } | null> {
    const ended = await this.sessions.endReused(hashOf(family), hashOf(secret));
    if (ended === null) return null;
    await this.users.announceAccessChange(ended.user_id);
    return { id: ended.id, userId: ended.user_id };
  }

  /** The active user of a live session; `stale` when its last use should be noted again. */
  async findUser(id: string, userId: string) {
    const row = await this.sessions.findUser(id, userId);
    return row === null ? null : { userId: row.user_id, email: row.email, role: row.role, stale: row.stale };
  }

  touch(id: string): Promise<void> {
    return this.sessions.touch(id);
  }

  /** @throws AppError not-found */
  async end(userId: string, id: string, reason: EndReason): Promise<void> {
    if (!(await this.sessions.end(userId, id, reason))) throw notFound('session');
    await this.users.announceAccessChange(userId);
  }

  async endAll(userId: string, except: string | null, reason: EndReason): Promise<void> {
    await this.sessions.endAll(userId, except, reason);
    await this.users.announceAccessChange(userId);
  }

  /** Newest first. */
  async list(userId: string, { limit, cursor }: PageRequest): Promise<Page<Session>> {
    const before = cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.sessions.pageLive(userId, before, limit + 1);
    return cutPage(rows, limit, ({ position }) => [position], toSession);
  }

  /** Whether the user has logged in from there before. */
  knowsNetwork(userId: string, network: string): Promise<boolean> {
    return this.sessions.hasNetwork(userId, network);
  }

  /** Removes a batch of sessions that nobody can need any more. @returns true when there may be more */
  async removeDead(): Promise<boolean> {
    return (await this.sessions.deleteDead(DEAD_SECONDS, BATCH)) === BATCH;
  }
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    userId: row.user_id,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    address: row.address,
    userAgent: row.user_agent,
  };
}
