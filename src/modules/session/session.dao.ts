import type { Role } from '../../contract/account.contract.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { EndReason, NewSession, SessionTimes } from './session.domain.js';
import type { SessionModel } from './session.model.js';

export interface SessionRow {
  id: string;
  position: string;
  user_id: string;
  address: string | null;
  user_agent: string | null;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
}

export interface SessionUserRow {
  user_id: string;
  email: string;
  role: Role;
  /** Not noted as used for a minute or more. */
  stale: boolean;
}

const COLUMNS = ['id', 'position', 'user_id', 'address', 'user_agent', 'created_at', 'last_used_at', 'expires_at']
  .map((column) => `sessions.${column}`)
  .join(', ');

/** By the database's clock, as all times here. */
const ALIVE = 'sessions.ended_at IS NULL AND sessions.expires_at > now()';

export class SessionDao extends BaseDao<SessionModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.sessions);
  }

  async open(id: string, { userId, client, familyHash, secretHash }: NewSession, times: SessionTimes) {
    const [row] = await this.rows<SessionRow>(
      `INSERT INTO sessions (id, user_id, family_hash, secret_hash, address, network, user_agent, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)) RETURNING ${COLUMNS}`,
      [
        id,
        userId,
        familyHash,
        secretHash,
        client.address,
        client.network,
        client.userAgent,
        Math.min(times.idleSeconds, times.longestSeconds),
      ],
    );
    return row;
  }

  /** Puts the next secret in the place of the one that was shown; null unless that was the current one of a live session. */
  async rotate(
    { familyHash, shownHash, nextHash }: { familyHash: string; shownHash: string; nextHash: string },
    { address, network, userAgent }: NewSession['client'],
    times: SessionTimes,
  ): Promise<SessionRow | null> {
    const [row] = await this.rows<SessionRow>(
      `UPDATE sessions SET secret_hash = $3, spent_hash = secret_hash, rotated_at = now(), last_used_at = now(),
              address = $4, network = $5, user_agent = $6,
              expires_at = least(now() + make_interval(secs => $7), sessions.created_at + make_interval(secs => $8))
       FROM users
       WHERE family_hash = $1 AND secret_hash = $2 AND ${ALIVE}
         AND users.id = sessions.user_id AND users.disabled_at IS NULL
       RETURNING ${COLUMNS}`,
      [familyHash, shownHash, nextHash, address, network, userAgent, times.idleSeconds, times.longestSeconds],
    );
    return row ?? null;
  }

  /** Whether this secret of a live session was spent within the last seconds, and no other after it. */
  async wasJustSpent(familyHash: string, shownHash: string, seconds: number): Promise<boolean> {
    const found = await this.rows(
      `SELECT 1 FROM sessions WHERE family_hash = $1 AND spent_hash = $2 AND ${ALIVE}
         AND rotated_at > now() - make_interval(secs => $3)`,
      [familyHash, shownHash, seconds],
    );
    return found.length === 1;
  }

  /** Ends a live session to which a secret was shown that is not its current one. */
  async endReused(familyHash: string, shownHash: string): Promise<{ id: string; user_id: string } | null> {
    const [row] = await this.rows<{ id: string; user_id: string }>(
      `UPDATE sessions SET ended_at = now(), end_reason = 'token-reused'
       WHERE family_hash = $1 AND secret_hash <> $2 AND ${ALIVE} RETURNING id, user_id`,
      [familyHash, shownHash],
    );
    return row ?? null;
  }

  /** The user of a live session, unless disabled. */
  async findUser(id: string, userId: string): Promise<SessionUserRow | null> {
    const [row] = await this.rows<SessionUserRow>(
      `SELECT users.id AS user_id, users.email, users.role,
              sessions.last_used_at < now() - interval '1 minute' AS stale
       FROM sessions JOIN users ON users.id = sessions.user_id
       WHERE sessions.id = $1 AND sessions.user_id = $2 AND ${ALIVE} AND users.disabled_at IS NULL`,
      [id, userId],
    );
    return row ?? null;
  }

  async touch(id: string): Promise<void> {
    await this.rows(
      `UPDATE sessions SET last_used_at = now() WHERE id = $1 AND last_used_at < now() - interval '1 minute'`,
      [id],
    );
  }

  async end(userId: string, id: string, reason: EndReason): Promise<boolean> {
    const ended = await this.rows(
      `UPDATE sessions SET ended_at = now(), end_reason = $3 WHERE id = $1 AND user_id = $2 AND ${ALIVE} RETURNING 1`,
      [id, userId, reason],
    );
    return ended.length === 1;
  }

  /** @param except stays alive; null ends all */
  async endAll(userId: string, except: string | null, reason: EndReason): Promise<void> {
    await this.rows(
      `UPDATE sessions SET ended_at = now(), end_reason = $3
       WHERE user_id = $1 AND id IS DISTINCT FROM $2::uuid AND ${ALIVE}`,
      [userId, except, reason],
    );
  }

  /** Newest first. */
  pageLive(userId: string, before: string | null, limit: number): Promise<SessionRow[]> {
    return this.rows<SessionRow>(
      `SELECT ${COLUMNS} FROM sessions
       WHERE user_id = $1 AND ($2::bigint IS NULL OR position < $2::bigint) AND ${ALIVE}
       ORDER BY position DESC LIMIT $3`,
      [userId, before, limit],
    );
  }

  /** Removes those of a user's live sessions that have gone unused longest, until so many are left. @returns how many */
  async keepLatest(userId: string, count: number): Promise<number> {
    const removed = await this.rows(
      `DELETE FROM sessions WHERE id IN (
         SELECT id FROM sessions WHERE user_id = $1 AND ${ALIVE} ORDER BY last_used_at DESC, position DESC OFFSET $2
       ) RETURNING 1`,
      [userId, count],
    );
    return removed.length;
  }

  async hasNetwork(userId: string, network: string): Promise<boolean> {
    const found = await this.rows('SELECT 1 FROM sessions WHERE user_id = $1 AND network = $2 LIMIT 1', [
      userId,
      network,
    ]);
    return found.length === 1;
  }

  /** A batch of those that have been dead for so long. @returns how many there were */
  async deleteDead(seconds: number, limit: number): Promise<number> {
    const deleted = await this.rows(
      `DELETE FROM sessions WHERE id IN (
         SELECT id FROM sessions WHERE least(ended_at, expires_at) < now() - make_interval(secs => $1)
         LIMIT $2 FOR UPDATE SKIP LOCKED
       ) RETURNING 1`,
      [seconds, limit],
    );
    return deleted.length;
  }
}
