import { Op, literal, type Attributes } from 'sequelize';
import { CANCEL_CHANNEL } from '../../platform/events/event-bus.port.js';
import type { JobStatus } from '../../contract/inference.contract.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { ExpiredClaim } from './inference.domain.js';
import type { JobModel } from './inference.model.js';

export type JobRow = Attributes<JobModel>;

/** `held`: by the holder of the claim. `expired`: by somebody else, only while the holder is overdue. */
export type ClaimGuard = 'held' | 'expired';

const CLAIM_CONDITION: Record<ClaimGuard, string> = {
  held: 'true',
  expired: 'lease_expires_at < now()',
};

type JobEndFields = Partial<
  Pick<JobRow, 'carbonFootprint' | 'energyWh' | 'errorCode' | 'errorMessage' | 'progressProcessed' | 'progressTotal'>
>;

const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Columns that every way out of RUNNING clears. */
const UNCLAIMED = { claimToken: null, leaseExpiresAt: null } as const;
/** Columns that every end sets. */
const ENDED = { finishedAt: literal('now()'), stoppedAt: literal('now()') } as const;

/** By the clock of a server, which may be wrong: never before somebody asked for the stop, nor after now. */
const stoppedAs = (time: Date) =>
  literal(`greatest(cancel_requested_at, least(now(), '${time.toISOString()}'::timestamptz))`);

const CANCELLED = 'cancel_requested_at IS NOT NULL';
const NOT_CANCELLED = 'cancel_requested_at IS NULL';

/**
 * Moves are conditional updates: the WHERE names the state that the caller believes in, and the returned row tells
 * whether the database agreed. All times are the database's.
 */
export class JobDao extends BaseDao<JobModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.jobs);
  }

  findById(id: string) {
    return this.findOne({ id });
  }

  findOwned(userId: string, id: string) {
    return this.findOne({ id, userId });
  }

  /** PENDING and due → RUNNING. */
  async claim(id: string, token: string, leaseSeconds: number): Promise<JobRow | null> {
    return this.changeOne(
      {
        status: 'RUNNING',
        attempt: literal('attempt + 1'),
        claimToken: token,
        leaseExpiresAt: later(leaseSeconds, 'seconds'),
        startedAt: literal('coalesce(started_at, now())'),
      },
      { id, status: 'PENDING' },
      // The bell rings by another clock; a second early is on time.
      `available_at <= now() + interval '1 second'`,
      '(started_at IS NOT NULL OR start_deadline IS NULL OR start_deadline > now())',
    );
  }

  /** Keeps the claim alive; null when it is no longer the caller's. */
  async renew(
    id: string,
    token: string,
    leaseSeconds: number,
    progress: { processed: number; total: number } | null,
  ): Promise<JobRow | null> {
    return this.changeOne(
      {
        leaseExpiresAt: later(leaseSeconds, 'seconds'),
        ...(progress === null ? {} : { progressProcessed: progress.processed, progressTotal: progress.total }),
      },
      { id, status: 'RUNNING', claimToken: token },
    );
  }

  /** The row, which nobody else changes until this transaction ends. */
  async holdOwned(userId: string, id: string): Promise<JobRow | null> {
    const row = await this.model.findOne({ where: { id, userId }, lock: true, ...this.inScope });
    return row === null ? null : row.get({ plain: true });
  }

  /** Marks a RUNNING job; the first time stays. */
  async requestCancel(id: string): Promise<JobRow | null> {
    const first = { cancelRequestedAt: literal('coalesce(cancel_requested_at, now())') };
    return this.changeOne(first, { id, status: 'RUNNING' });
  }

  /** Wakes whoever runs the job, at the commit of this transaction. */
  async notifyCancel(id: string): Promise<void> {
    await this.rows('SELECT pg_notify($1, $2)', [CANCEL_CHANNEL, id]);
  }

  /** PENDING → ABORTED, by its owner. */
  async cancelPending(id: string, fields: JobEndFields): Promise<JobRow | null> {
    const values = { ...fields, ...ENDED, status: 'ABORTED', cancelRequestedAt: literal('now()') } as const;
    return this.changeOne(values, { id, status: 'PENDING' });
  }

  async haveEnded(ids: readonly string[]): Promise<boolean> {
    const open = await this.rows(
      `SELECT 1 FROM inference_jobs WHERE id = ANY ($1::uuid[]) AND status IN ('PENDING', 'RUNNING') LIMIT 1`,
      [ids],
    );
    return open.length === 0;
  }

  async statusesOf(userId: string, ids: readonly string[]): Promise<{ id: string; status: JobStatus }[]> {
    return this.rows(
      `SELECT id, status FROM inference_jobs WHERE id = ANY ($1::uuid[]) AND user_id = $2
       ORDER BY array_position($1::uuid[], id)`,
      [ids, userId],
    );
  }

  /** Jobs that should have started by now, those that are late the longest first. */
  async unstarted(limit: number): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `SELECT id FROM inference_jobs WHERE status = 'PENDING' AND started_at IS NULL AND start_deadline <= now()
       ORDER BY start_deadline LIMIT $1`,
      [limit],
    );
    return rows.map(({ id }) => id);
  }

  /** PENDING → ABORTED, when it should have started by now. */
  async abortUnstarted(id: string, fields: JobEndFields): Promise<JobRow | null> {
    return this.changeOne(
      { ...fields, ...ENDED, status: 'ABORTED' },
      { id, status: 'PENDING' },
      'started_at IS NULL AND start_deadline <= now()',
    );
  }

  /**
   * RUNNING → a final status, by the holder of the claim, of a job that is to be cancelled or of one that is not.
   * `stoppedAt`: when the work had stopped, where that is known better than by the time of this call.
   */
  async finish(
    id: string,
    token: string,
    status: Extract<JobStatus, 'COMPLETED' | 'FAILED' | 'ABORTED'>,
    { stoppedAt = null, ...fields }: JobEndFields & { stoppedAt?: Date | null },
    { guard, cancelled }: { guard: ClaimGuard; cancelled: boolean },
  ): Promise<JobRow | null> {
    const told = stoppedAt === null ? {} : { stoppedAt: stoppedAs(stoppedAt) };
    return this.changeOne(
      { ...fields, ...UNCLAIMED, ...ENDED, ...told, status },
      { id, status: 'RUNNING', claimToken: token },
      CLAIM_CONDITION[guard],
      cancelled ? CANCELLED : NOT_CANCELLED,
    );
  }

  /** RUNNING → PENDING, due after `delayMs`, by the holder of the claim; not when it is to be cancelled. */
  async requeue(
    id: string,
    token: string,
    fields: { delayMs: number; errorCode: string | null; errorMessage: string | null },
    guard: ClaimGuard = 'held',
  ): Promise<JobRow | null> {
    return this.changeOne(
      {
        ...UNCLAIMED,
        status: 'PENDING',
        availableAt: later(fields.delayMs, 'milliseconds'),
        progressProcessed: null,
        progressTotal: null,
        errorCode: fields.errorCode,
        errorMessage: fields.errorMessage,
      },
      { id, status: 'RUNNING', claimToken: token },
      CLAIM_CONDITION[guard],
      NOT_CANCELLED,
    );
  }

  /** Adds what an attempt has consumed to what those before it did. */
  async addFootprint(id: string, { energy, carbonGrams }: Footprint): Promise<JobRow> {
    const values = {
      energyWh: literal(`coalesce(energy_wh, 0) + ${amount(energy.totalWh)}`),
      carbonFootprint: literal(`coalesce(carbon_footprint, 0) + ${amount(carbonGrams)}`),
    };
    const row = await this.changeOne(values, { id });
    if (row === null) throw new Error(`There is no job ${id}`);
    return row;
  }

  /** Tells whether the claim is held, and keeps it so until this transaction ends: its end waits that long. */
  async holdClaim(id: string, token: string): Promise<boolean> {
    const rows = await this.rows(
      `SELECT 1 FROM inference_jobs WHERE id = $1 AND status = 'RUNNING' AND claim_token = $2 FOR SHARE`,
      [id, token],
    );
    return rows.length > 0;
  }

  /** Claims whose holder has been silent for longer than its lease, the longest first, those behind `after` only. */
  async expiredClaims(limit: number, after: ExpiredClaim | null): Promise<ExpiredClaim[]> {
    const rows = await this.rows<{ id: string; claim_token: string; expired_at: string }>(
      `SELECT id, claim_token, lease_expires_at::text AS expired_at FROM inference_jobs
       WHERE status = 'RUNNING' AND lease_expires_at < now()
         AND (lease_expires_at, id) > ($2::text::timestamptz, $3::uuid)
       ORDER BY lease_expires_at, id LIMIT $1`,
      [limit, after?.expiredAt ?? '-infinity', after?.id ?? NIL_UUID],
    );
    return rows.map((row) => ({ id: row.id, claimToken: row.claim_token, expiredAt: row.expired_at }));
  }

  /** PENDING rows that have been due for a while without anybody taking them. */
  async overdue(graceSeconds: number, limit: number): Promise<{ id: string; attempt: number; priority: number }[]> {
    return this.rows(
      `SELECT id, attempt, priority FROM inference_jobs
       WHERE status = 'PENDING' AND available_at < now() - make_interval(secs => $1)
       ORDER BY priority DESC, available_at LIMIT $2`,
      [graceSeconds, limit],
    );
  }

  private async changeOne(
    values: Parameters<typeof this.model.update>[0],
    where: Partial<Pick<JobRow, 'id' | 'userId' | 'status' | 'claimToken'>>,
    ...conditions: readonly string[]
  ): Promise<JobRow | null> {
    const guard = { ...where, [Op.and]: conditions.map((condition) => literal(condition)) };
    const [, rows] = await this.model.update(
      { ...values, updatedAt: literal('now()') },
      { where: guard, returning: true, ...this.inScope },
    );
    return rows[0]?.get({ plain: true }) ?? null;
  }
}

/** A number as SQL has it. */
function amount(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is not an amount`);
  return `${value}::double precision`;
}

/** A time from now on the database's clock. */
function later(amount: number, unit: 'seconds' | 'milliseconds') {
  if (!Number.isFinite(amount)) throw new RangeError(`${amount} is not a duration`);
  return literal(`now() + interval '${amount} ${unit}'`);
}
