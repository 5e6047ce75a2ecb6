import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { PartialRowsModel } from './partial-rows.model.js';

export class PartialRowsDao extends BaseDao<PartialRowsModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.partialRows);
  }

  /**
   * Adds a piece while the claim is held; its end waits for this, and finds the piece. A piece that was added before,
   * without its writer hearing of it, stays as it is.
   */
  async addIfClaimed(jobId: string, token: string, firstRow: number, velocity: readonly number[][]): Promise<void> {
    await this.rows(
      `WITH claim AS (
         SELECT id, attempt FROM inference_jobs
         WHERE id = $1 AND status = 'RUNNING' AND claim_token = $2 FOR SHARE)
       INSERT INTO inference_partial_rows (job_id, attempt, first_row, row_count, velocity)
       SELECT id, attempt, $3::integer, $4::integer, $5::jsonb FROM claim ON CONFLICT DO NOTHING`,
      [jobId, token, firstRow, velocity.length, JSON.stringify(velocity)],
    );
  }

  async deleteOf(jobId: string): Promise<void> {
    await this.model.destroy({ where: { jobId }, ...this.inScope });
  }
}
