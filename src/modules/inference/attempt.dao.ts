import { literal } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { AttemptModel } from './attempt.model.js';
import type { AttemptOutcome } from './inference.domain.js';

export class AttemptDao extends BaseDao<AttemptModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.attempts);
  }

  /** @returns what it has consumed, as far as that is known */
  async finish(
    claimToken: string,
    outcome: AttemptOutcome,
    error: { code: string; message: string } | null,
  ): Promise<Footprint | null> {
    const [, rows] = await this.model.update(
      { outcome, errorCode: error?.code ?? null, errorMessage: error?.message ?? null, finishedAt: literal('now()') },
      { where: { claimToken, outcome: null }, returning: true, ...this.inScope },
    );
    return rows[0]?.footprint ?? null;
  }

  /** What an attempt that goes on has consumed so far. */
  async setFootprint(claimToken: string, footprint: Footprint): Promise<void> {
    await this.model.update({ footprint }, { where: { claimToken, outcome: null }, ...this.inScope });
  }

  /** Of the attempts that have ended, in their order, as far as they are known. */
  async endedFootprints(jobId: string): Promise<Footprint[]> {
    const rows = await this.rows<{ footprint: Footprint }>(
      `SELECT footprint FROM inference_attempts
       WHERE job_id = $1 AND outcome IS NOT NULL AND footprint IS NOT NULL ORDER BY number`,
      [jobId],
    );
    return rows.map(({ footprint }) => footprint);
  }

  /** @param rows that the attempt takes over from those before */
  async setResumedRows(claimToken: string, rows: number): Promise<void> {
    await this.model.update({ resumedRows: rows }, { where: { claimToken }, ...this.inScope });
  }

  /** Whether an attempt of the job ended with this error. */
  async anyEndedWith(jobId: string, errorCode: string): Promise<boolean> {
    return (await this.model.count({ where: { jobId, errorCode }, ...this.inScope })) > 0;
  }

  /** Attempts that ended by a failure or a silence of the platform; given-back ones do not count. */
  async countSpent(jobId: string): Promise<number> {
    const [row] = await this.rows<{ count: string }>(
      `SELECT count(*) FROM inference_attempts WHERE job_id = $1 AND outcome IN ('FAILED', 'LOST')`,
      [jobId],
    );
    return Number(row.count);
  }
}
