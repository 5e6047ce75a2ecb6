import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { IdempotencyKeyModel } from './idempotency.model.js';

export class IdempotencyKeyDao extends BaseDao<IdempotencyKeyModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.idempotencyKeys);
  }

  findByKey(userId: string, key: string) {
    return this.findOne({ userId, key });
  }

  /** Until this transaction ends; false when another one holds the key. */
  async tryLock(userId: string, key: string): Promise<boolean> {
    const [row] = await this.rows<{ locked: boolean }>(
      `SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS locked`,
      [userId, key],
    );
    return row.locked;
  }

  /** The oldest first. @returns how many */
  async deleteOlderThan(seconds: number, limit: number): Promise<number> {
    const rows = await this.rows(
      `DELETE FROM idempotency_keys WHERE (user_id, key) IN (
         SELECT user_id, key FROM idempotency_keys WHERE created_at < now() - make_interval(secs => $1)
         ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
       ) RETURNING 1`,
      [seconds, limit],
    );
    return rows.length;
  }
}
