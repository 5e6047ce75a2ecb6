import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { PartialRowsModel } from './partial-rows.model.js';

export class PartialRowsDao extends BaseDao<PartialRowsModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.partialRows);
  }

  /**
   * Adds a piece while the claim is held; its end waits for this, and finds the piece. One that was added before without
   * its writer hearing of it begins with the same rows, and may have fewer.
   */
  async addIfClaimed(jobId: string, token: string, firstRow: number, velocity: readonly number[][]): Promise<void> {
    await this.rows(
      `WITH claim AS (
         SELECT id, attempt FROM inference_jobs
         WHERE id = $1 AND status = 'RUNNING' AND claim_token = $2 FOR SHARE)
       INSERT INTO inference_partial_rows (job_id, attempt, first_row, row_count, velocity)
       SELECT id, attempt, $3::integer, $4::integer, $5::jsonb FROM claim
       ON CONFLICT (job_id, attempt, first_row)
       DO UPDATE SET row_count = excluded.row_count, velocity = excluded.velocity
       WHERE excluded.row_count > inference_partial_rows.row_count`,
      [jobId, token, firstRow, velocity.length, JSON.stringify(velocity)],
    );
  }

  /** Pieces that lie before this row as a whole. */
  async deleteBefore(jobId: string, row: number): Promise<void> {
    await this.rows('DELETE FROM inference_partial_rows WHERE job_id = $1 AND first_row + row_count <= $2', [
      jobId,
      row,
    ]);
  }

  /** Those of a job's checkpoint, which is about to become another's: without them nobody could read them here any more. */
  async keepCheckpoint(jobId: string): Promise<void> {
    await this.rows(
      `INSERT INTO inference_partial_rows (job_id, attempt, first_row, row_count, velocity)
       SELECT job.id, job.attempt, piece.first_row, piece.row_count, piece.velocity
       FROM inference_checkpoint_pieces AS piece JOIN inference_jobs AS job ON job.id = piece.job_id
       WHERE job.id = $1
       ON CONFLICT DO NOTHING`,
      [jobId],
    );
  }

  /** Of jobs that ended so long ago. */
  async deleteEndedBefore(seconds: number): Promise<void> {
    await this.rows(
      `DELETE FROM inference_partial_rows AS piece USING inference_jobs AS job
       WHERE job.id = piece.job_id AND job.status IN ('COMPLETED', 'FAILED', 'ABORTED')
         AND job.finished_at <= now() - make_interval(secs => $1)`,
      [seconds],
    );
  }

  async deleteOf(jobId: string): Promise<void> {
    await this.model.destroy({ where: { jobId }, ...this.inScope });
  }
}
