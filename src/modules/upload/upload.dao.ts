import { Op, literal, type Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { PAYABLE_PROBLEM, type UploadProblem } from './upload.domain.js';
import type { UploadModel } from './upload.model.js';

export type UploadRow = Attributes<UploadModel>;

type NewUploadRow = Pick<UploadRow, 'id' | 'userId' | 'datasetId' | 'name' | 'type' | 'metadata' | 'length'>;

const UNCLAIMED = { claimToken: null, claimExpiresAt: null } as const;

/** Moves are conditional updates; the returned row tells whether the database agreed. All times are the database's. */
export class UploadDao extends BaseDao<UploadModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.uploads);
  }

  findById(id: string) {
    return this.findOne({ id });
  }

  findOwned(userId: string, id: string) {
    return this.findOne({ id, userId });
  }

  async insertExpiring(
    { id, userId, datasetId, name, type, metadata, length }: NewUploadRow,
    seconds: number,
  ): Promise<UploadRow | null> {
    await this.rows(
      `INSERT INTO uploads (id, user_id, dataset_id, name, type, metadata, length, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)) RETURNING id`,
      [id, userId, datasetId, name, type, JSON.stringify(metadata), length, seconds],
    );
    return this.findById(id);
  }

  /** Counts what the user has not finished; a second count of the same user waits for this transaction. */
  async countUnfinished(userId: string): Promise<number> {
    await this.rows('SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE', [userId]);
    const [{ count }] = await this.rows<{ count: number }>(
      `SELECT count(*)::int AS count FROM uploads WHERE user_id = $1 AND state <> 'done' AND expires_at > now()`,
      [userId],
    );
    return count;
  }

  /** Remembers how much has arrived, as long as more may come. */
  async noteReceived(id: string, received: number): Promise<void> {
    await this.changeOne({ received: String(received) }, { id, state: 'receiving' });
  }

  /** Complete → `processing`; also after a refusal that can be paid off, and out of the hands of who fell silent. */
  claim(id: string, token: string, seconds: number): Promise<UploadRow | null> {
    return this.changeOne(
      {
        state: 'processing',
        received: literal('length'),
        problem: null,
        claimToken: token,
        claimExpiresAt: later(seconds),
      },
      { id },
      `(state = 'receiving' OR (state = 'processing' AND claim_expires_at < now())
        OR (state = 'refused' AND problem ->> 'code' = '${PAYABLE_PROBLEM}'))`,
    );
  }

  renewClaim(id: string, token: string, seconds: number): Promise<UploadRow | null> {
    return this.changeOne({ claimExpiresAt: later(seconds) }, { id, claimToken: token });
  }

  complete(id: string, token: string, videoIds: string[]): Promise<UploadRow | null> {
    return this.changeOne({ ...UNCLAIMED, state: 'done', videoIds }, { id, claimToken: token });
  }

  /** What can be paid off stays as long as a new upload would. */
  refuse(id: string, token: string, problem: UploadProblem, seconds: number): Promise<UploadRow | null> {
    return this.changeOne(
      { ...UNCLAIMED, state: 'refused', problem, expiresAt: literal(`greatest(expires_at, ${fromNow(seconds)})`) },
      { id, claimToken: token },
    );
  }

  /** Back to where it was before it was claimed, for the next to try. */
  unclaim(id: string, token: string, failures: { ofDecoder: 0 | 1 }): Promise<UploadRow | null> {
    const decoderFailures = literal(`decoder_failures + ${failures.ofDecoder}`);
    return this.changeOne({ ...UNCLAIMED, state: 'receiving', decoderFailures }, { id, claimToken: token });
  }

  /** Complete uploads that nobody is finishing, those that have waited longest first. */
  async listToFinish(graceSeconds: number, limit: number): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `SELECT id FROM uploads
       WHERE (state = 'processing' OR (state = 'receiving' AND received = length))
         AND updated_at < now() - make_interval(secs => $1)
         AND (claim_expires_at IS NULL OR claim_expires_at < now()) AND expires_at > now()
       ORDER BY updated_at LIMIT $2`,
      [graceSeconds, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Unless it is being finished or is done. */
  async deleteOpen(id: string): Promise<boolean> {
    const deleted = await this.rows(
      `DELETE FROM uploads WHERE id = $1 AND state IN ('receiving', 'refused') RETURNING id`,
      [id],
    );
    return deleted.length === 1;
  }

  /** Rows whose time is over, except where somebody is writing or finishing right now. */
  async deleteExpired(limit: number): Promise<string[]> {
    const deleted = await this.rows<{ id: string }>(
      `DELETE FROM uploads WHERE id IN (
         SELECT id FROM uploads
         WHERE expires_at < now() AND (lock_expires_at IS NULL OR lock_expires_at < now())
           AND (claim_expires_at IS NULL OR claim_expires_at < now())
         ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING id`,
      [limit],
    );
    return deleted.map(({ id }) => id);
  }

  /** Those of `ids` that have a row. */
  async knownIds(ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.rows<{ id: string }>('SELECT id FROM uploads WHERE id = ANY ($1::uuid[])', [ids]);
    return new Set(rows.map(({ id }) => id));
  }

  async acquireLock(id: string, token: string, seconds: number): Promise<boolean> {
    const values = { lockToken: token, lockExpiresAt: later(seconds), lockWanted: false };
    return (await this.changeOne(values, { id }, '(lock_token IS NULL OR lock_expires_at < now())')) !== null;
  }

  /** Tells the holder that somebody waits. */
  async wantLock(id: string): Promise<void> {
    await this.changeOne({ lockWanted: true }, { id }, 'lock_token IS NOT NULL');
  }

  /** @returns null when the lock is no longer the caller's */
  async renewLock(id: string, token: string, seconds: number): Promise<{ isWanted: boolean } | null> {
    const row = await this.changeOne({ lockExpiresAt: later(seconds) }, { id, lockToken: token });
    return row === null ? null : { isWanted: row.lockWanted };
  }

  async releaseLock(id: string, token: string): Promise<void> {
    await this.changeOne({ lockToken: null, lockExpiresAt: null, lockWanted: false }, { id, lockToken: token });
  }

  private async changeOne(
    values: Parameters<typeof this.model.update>[0],
    where: Partial<Pick<UploadRow, 'id' | 'state' | 'claimToken' | 'lockToken'>>,
    ...conditions: readonly string[]
  ): Promise<UploadRow | null> {
    const guard = { ...where, [Op.and]: conditions.map((condition) => literal(condition)) };
    const [, rows] = await this.model.update(
      { ...values, updatedAt: literal('now()') },
      { where: guard, returning: true, ...this.inScope },
    );
    return rows[0]?.get({ plain: true }) ?? null;
  }
}

function fromNow(seconds: number): string {
  if (!Number.isFinite(seconds)) throw new RangeError(`${seconds} is not a duration`);
  return `now() + interval '${seconds} seconds'`;
}

/** A time from now on the database's clock. */
const later = (seconds: number) => literal(fromNow(seconds));
