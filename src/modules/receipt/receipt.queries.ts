import { QueryTypes } from 'sequelize';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { JobFacts } from './receipt.domain.js';

interface Video {
  id: string;
  sha256: string;
  bytes: number;
}

interface Row {
  id: string;
  user_id: string;
  retry_of: string | null;
  created_at: Date;
  started_at: Date;
  finished_at: Date;
  model_name: string;
  model_version: string;
  parameters: Record<string, unknown>;
  model_parameters: Record<string, unknown>;
  cost: number;
  frames: number;
  energy_wh: number | null;
  carbon_footprint: number | null;
  goal: Video;
  current: Video;
  attempts: {
    number: number;
    runner_kind: string | null;
    runner_name: string | null;
    started_at: string;
    finished_at: string;
    outcome: string;
    resumed_rows: number;
    footprint: Footprint | null;
  }[];
}

/** What the receipt of a job is made of, in one statement, so that its parts fit each other. */
export class ReceiptQueries {
  constructor(private readonly scope: DatabaseScope) {}

  /** @throws Error unless the job is COMPLETED */
  async factsOf(jobId: string): Promise<JobFacts> {
    const { sequelize, transaction } = this.scope;
    const rows = await sequelize.query<Row>(FACTS, { bind: [jobId], type: QueryTypes.SELECT, transaction });
    const row = rows.at(0);
    if (row === undefined) throw new Error(`Job ${jobId} is not completed: it has no receipt`);
    return toFacts(row);
  }
}

const VIDEO = (name: string) =>
  `jsonb_build_object('id', ${name}.id, 'sha256', ${name}.sha256, 'bytes', ${name}.size_bytes)`;

const FACTS = `
SELECT job.id, job.user_id, job.retry_of, job.created_at, job.started_at, job.finished_at, job.model_name,
  job.model_version, job.parameters, job.model_parameters, job.cost, coalesce(job.progress_total, 0) AS frames,
  job.energy_wh, job.carbon_footprint, ${VIDEO('goal')} AS goal, ${VIDEO('current')} AS current,
  (SELECT jsonb_agg(jsonb_build_object('number', number, 'runner_kind', runner_kind,
     'runner_name', runner_name, 'started_at', started_at, 'finished_at', finished_at,
     'outcome', outcome, 'resumed_rows', resumed_rows, 'footprint', footprint) ORDER BY number)
   FROM inference_attempts AS attempt WHERE job_id = job.id AND outcome IS NOT NULL) AS attempts
FROM inference_jobs AS job
JOIN videos AS goal ON goal.id = job.goal_video_id
JOIN videos AS current ON current.id = job.current_video_id
WHERE job.id = $1 AND job.status = 'COMPLETED'`;

function toFacts(row: Row): JobFacts {
  return {
    jobId: row.id,
    userId: row.user_id,
    retryOf: row.retry_of,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    model: { name: row.model_name, version: row.model_version },
    parameters: { ...row.parameters, ...row.model_parameters },
    goalVideo: toVideo(row.goal),
    currentVideo: toVideo(row.current),
    attempts: row.attempts.map((attempt) => ({
      number: attempt.number,
      runner:
        attempt.runner_kind === null || attempt.runner_name === null
          ? null
          : { kind: attempt.runner_kind, name: attempt.runner_name },
      startedAt: new Date(attempt.started_at),
      finishedAt: new Date(attempt.finished_at),
      outcome: attempt.outcome,
      resumedRows: attempt.resumed_rows,
      footprint: attempt.footprint,
    })),
    frames: row.frames,
    energyWh: row.energy_wh ?? 0,
    carbonGrams: row.carbon_footprint ?? 0,
    credits: row.cost,
  };
}

const toVideo = ({ id, sha256, bytes }: Video) => ({ id, sha256, bytes });
