import { QueryTypes } from 'sequelize';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { CheckedEntry, CheckedJob, CheckedUser, CheckedVideo, TrailEntry } from './ledger-check.domain.js';

const BATCH = 2_000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Entries about the row `subject`, found by the index on kind and reference. */
const TRAIL = (type: 'job' | 'video', kinds: string): string => `
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('id', id::text, 'userId', user_id, 'kind', kind, 'amount', amount) ORDER BY id)
             AS entries
    FROM credit_entries
    WHERE kind IN (${kinds}) AND reference_id = subject.id AND reference_type = '${type}'
  ) trail ON true`;

interface TrailRow {
  id: string;
  user_id: string;
  cost: number;
  entries: TrailEntry[] | null;
}

/** Reads what the check compares, in the order of keys and in batches: memory does not grow with the installation. */
export class LedgerCheckQueries {
  constructor(private readonly scope: DatabaseScope) {}

  users(): AsyncGenerator<CheckedUser> {
    return this.stream<CheckedUser, [string]>(
      'SELECT id, credit FROM users WHERE id > $1::uuid ORDER BY id LIMIT $2',
      [NIL_UUID],
      ({ id }) => [id],
    );
  }

  /** By user and, for each, in the order in which they were booked. */
  async *entries(): AsyncGenerator<CheckedEntry> {
    interface Row {
      id: string;
      user_id: string;
      kind: CheckedEntry['kind'];
      amount: number;
      balance_after: number;
      reference_type: CheckedEntry['referenceType'];
      reference_id: string | null;
      reference_exists: boolean;
    }
    const rows = this.stream<Row, [string, string]>(
      `SELECT id, user_id, kind, amount, balance_after, reference_type, reference_id,
              CASE reference_type WHEN 'job' THEN EXISTS (SELECT 1 FROM inference_jobs WHERE id = reference_id)
                                  WHEN 'video' THEN EXISTS (SELECT 1 FROM videos WHERE id = reference_id)
                                  ELSE true END AS reference_exists
       FROM credit_entries WHERE (user_id, id) > ($1::uuid, $2::bigint) ORDER BY user_id, id LIMIT $3`,
      [NIL_UUID, '0'],
      ({ user_id, id }) => [user_id, id],
    );
    for await (const row of rows) {
      yield {
        id: row.id,
        userId: row.user_id,
        kind: row.kind,
        amount: row.amount,
        balanceAfter: row.balance_after,
        referenceType: row.reference_type,
        referenceId: row.reference_id,
        referenceExists: row.reference_exists,
      };
    }
  }

  async *jobs(): AsyncGenerator<CheckedJob> {
    const kinds = `'inference-hold', 'inference-capture', 'inference-release', 'refund', 'upload'`;
    const rows = this.stream<TrailRow & { status: CheckedJob['status']; has_result: boolean }, [string]>(
      `SELECT subject.id, subject.user_id, subject.status, subject.cost, trail.entries,
              EXISTS (SELECT 1 FROM results WHERE job_id = subject.id) AS has_result
       FROM (SELECT id, user_id, status, cost FROM inference_jobs WHERE id > $1::uuid ORDER BY id LIMIT $2) subject
       ${TRAIL('job', kinds)} ORDER BY subject.id`,
      [NIL_UUID],
      ({ id }) => [id],
    );
    for await (const { id, user_id: userId, status, cost, has_result: hasResult, entries } of rows) {
      yield { id, userId, status, cost, hasResult, entries: entries ?? [] };
    }
  }

  async *videos(): AsyncGenerator<CheckedVideo> {
    const rows = this.stream<TrailRow, [string]>(
      `SELECT subject.id, datasets.user_id, subject.cost, trail.entries
       FROM (SELECT id, dataset_id, cost FROM videos WHERE id > $1::uuid ORDER BY id LIMIT $2) subject
       JOIN datasets ON datasets.id = subject.dataset_id
       ${TRAIL('video', `'upload', 'refund'`)} ORDER BY subject.id`,
      [NIL_UUID],
      ({ id }) => [id],
    );
    for await (const { id, user_id: userId, cost, entries } of rows) yield { id, userId, cost, entries: entries ?? [] };
  }

  /** @param keyOf the parameters that continue behind a row; the last parameter of the statement is the batch */
  private async *stream<Row extends object, Key extends readonly string[]>(
    sql: string,
    start: Key,
    keyOf: (row: Row) => Key,
  ): AsyncGenerator<Row> {
    const { sequelize, transaction } = this.scope;
    for (let key = start; ;) {
      const bind = [...key, BATCH];
      const rows = await sequelize.query<Row>(sql, { bind, type: QueryTypes.SELECT, transaction });
      yield* rows;
      const last = rows.at(-1);
      if (rows.length < BATCH || last === undefined) return;
      key = keyOf(last);
    }
  }
}
