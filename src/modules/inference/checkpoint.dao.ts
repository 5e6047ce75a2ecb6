import type { CreationAttributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { CheckpointModel } from './checkpoint.model.js';

export class CheckpointDao extends BaseDao<CheckpointModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.checkpoints);
  }

  findByJob(jobId: string) {
    return this.findOne({ jobId });
  }

  async put(values: CreationAttributes<CheckpointModel>): Promise<void> {
    await this.model.upsert(values, { ...this.inScope, returning: false });
  }

  /** Gives the checkpoint of one job, if it has one, to another, which has none. */
  async move(fromJobId: string, toJobId: string): Promise<void> {
    await this.model.update({ jobId: toJobId }, { where: { jobId: fromJobId }, ...this.inScope });
  }

  /** With its pieces. */
  async deleteOf(jobId: string): Promise<void> {
    await this.model.destroy({ where: { jobId }, ...this.inScope });
  }

  /** Some of the jobs that ended so long ago and have one, locked for this transaction. */
  async endedBefore(seconds: number, limit: number): Promise<string[]> {
    const rows = await this.rows<{ job_id: string }>(
      `SELECT checkpoint.job_id FROM inference_checkpoints AS checkpoint
       JOIN inference_jobs AS job ON job.id = checkpoint.job_id
       WHERE job.status IN ('COMPLETED', 'FAILED', 'ABORTED') AND job.finished_at <= now() - make_interval(secs => $1)
       ORDER BY job.finished_at LIMIT $2 FOR UPDATE OF checkpoint SKIP LOCKED`,
      [seconds, limit],
    );
    return rows.map((row) => row.job_id);
  }
}
