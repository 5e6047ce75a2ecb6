import { literal, type Attributes, type CreationAttributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Removal } from './result.domain.js';
import type { ResultModel } from './result.model.js';

export type ResultRow = Attributes<ResultModel>;

export class ResultDao extends BaseDao<ResultModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.results);
  }

  /** @param keptSeconds how long it stays; null for ever */
  async insertExpiring(keptSeconds: number | null, values: CreationAttributes<ResultModel>): Promise<void> {
    const expiresAt = keptSeconds === null ? null : literal(`now() + make_interval(secs => ${keptSeconds})`);
    await this.model.create({ ...values, expiresAt: expiresAt as never }, { ...this.inScope, returning: false });
  }

  /** The row, and whether its time is over by the database's clock. */
  async findByJob(jobId: string): Promise<(ResultRow & { isExpired: boolean }) | null> {
    const row = await this.model.findOne({
      where: { jobId },
      attributes: { include: [[literal('coalesce(expires_at <= now(), false)'), 'isExpired']] },
      ...this.inScope,
    });
    return row === null ? null : (row.get({ plain: true }) as ResultRow & { isExpired: boolean });
  }

  /** @returns the key of the archive; null when the result is not there any more */
  async remove(jobId: string, removal: Removal): Promise<string | null> {
    const [row] = await this.rows<{ archive_key: string }>(
      `UPDATE results SET payload = NULL, removed_at = now(), removal = $2
       WHERE job_id = $1 AND removed_at IS NULL AND coalesce(expires_at > now(), true) RETURNING archive_key`,
      [jobId, removal],
    );
    return row?.archive_key ?? null;
  }

  /** Removes results whose time is over, those that were due first. @returns the keys of their archives */
  async removeExpired(limit: number): Promise<string[]> {
    const rows = await this.rows<{ archive_key: string }>(
      `UPDATE results SET payload = NULL, removed_at = now(), removal = 'expired'
       WHERE id IN (SELECT id FROM results WHERE removed_at IS NULL AND expires_at <= now()
                    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING archive_key`,
      [limit],
    );
    return rows.map((row) => row.archive_key);
  }

  /** Those of `keys` that the row of a result which is there refers to. */
  async knownArchiveKeys(keys: readonly string[]): Promise<Set<string>> {
    const rows = await this.rows<{ archive_key: string }>(
      'SELECT archive_key FROM results WHERE archive_key = ANY ($1::text[]) AND removed_at IS NULL',
      [keys],
    );
    return new Set(rows.map((row) => row.archive_key));
  }
}
