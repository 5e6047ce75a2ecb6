import { literal } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import { RUNNER_CHANNEL } from '../../platform/events/event-bus.port.js';
import type { RunnerError, StopEvidence } from '../../runners/runner.errors.js';
import { EMBEDDED_KIND } from '../runner/runner.domain.js';
import type { AttemptModel } from './attempt.model.js';
import type { AttemptOutcome } from './inference.domain.js';

/** Failures that tell something about the runner, not about the input or about this side. */
const RUNNER_FAILURES: readonly RunnerError['code'][] = [
  'runner-unavailable',
  'runner-crashed',
  'runner-timeout',
  'runner-protocol',
  'runner-refused',
];

export class AttemptDao extends BaseDao<AttemptModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.attempts);
  }

  /**
   * Ends the attempt, and with that gives its place on the runner back: whoever waits for one is told at the commit.
   * @returns what it has consumed, as far as that is known
   */
  async finish(
    claimToken: string,
    outcome: AttemptOutcome,
    error: { code: string; message: string } | null,
    stop: StopEvidence | null,
  ): Promise<Footprint | null> {
    const [, rows] = await this.model.update(
      {
        outcome,
        errorCode: error?.code ?? null,
        errorMessage: error?.message ?? null,
        stoppedBy: stop?.by ?? null,
        stoppedAt: stop?.stoppedAt ?? null,
        finishedAt: literal('now()'),
      },
      { where: { claimToken, outcome: null }, returning: true, ...this.inScope },
    );
    const { runnerId = null, runnerKind = null, footprint = null } = rows[0] ?? {};
    // Places on embedded engines are those of one process, which knows about them.
    if (runnerId !== null && runnerKind !== EMBEDDED_KIND) {
      await this.rows('SELECT pg_notify($1, $2)', [RUNNER_CHANNEL, runnerId]);
    }
    return footprint;
  }

  /** Runners that failed the job, as far as they have not been changed since; among them those that refused it. */
  async failedRunners(jobId: string): Promise<{ runnerId: string; hasRefused: boolean }[]> {
    const rows = await this.rows<{ runner_id: string; has_refused: boolean }>(
      `SELECT attempt.runner_id, bool_or(attempt.error_code = 'runner-refused') AS has_refused
       FROM inference_attempts AS attempt JOIN runners AS runner ON runner.id = attempt.runner_id
       WHERE attempt.job_id = $1 AND attempt.outcome = 'FAILED' AND attempt.error_code = ANY ($2::text[])
         AND attempt.started_at >= runner.changed_at
       GROUP BY attempt.runner_id`,
      [jobId, RUNNER_FAILURES],
    );
    return rows.map((row) => ({ runnerId: row.runner_id, hasRefused: row.has_refused }));
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
