import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { StopEvidence } from '../../runners/runner.errors.js';
import type { Removal } from '../result/result.domain.js';
import type { AttemptOutcome, Job } from './inference.domain.js';
import { ROWS_PER_PIECE, type AttemptView, type JobView, type Settlement, type Wait } from './job-view.domain.js';
import type { JobRow } from './inference.dao.js';
import type { JobModel } from './inference.model.js';
import { toJob } from './inference.mapping.js';

/** More than this nobody waits to the end of counting. */
const MOST_AHEAD = 1000;

interface Surroundings {
  dataset_name: string;
  dataset_deleted: boolean;
  goal_name: string;
  current_name: string;
  attempts: {
    number: number;
    outcome: AttemptOutcome | null;
    code: string | null;
    message: string | null;
    started_at: string;
    finished_at: string | null;
    resumed_rows: number;
    footprint: Footprint | null;
    runner_name: string | null;
    runner_kind: string | null;
    stopped_by: StopEvidence['by'] | null;
    stopped_at: string | null;
  }[];
  retried_by: string[];
  bookings: string[];
  ahead: number | null;
  has_result: boolean;
  result_expires_at: Date | null;
  result_gone: Removal | null;
}

/** Reads for people: everything about one job in one statement, so that its parts fit each other. */
export class JobViewQueries {
  constructor(private readonly scope: DatabaseScope) {}

  async findOwned(userId: string, id: string): Promise<JobView | null> {
    const [model] = await this.scope.sequelize.query<JobModel>(VIEW, {
      bind: [userId, id, MOST_AHEAD],
      model: this.scope.models.jobs,
      mapToModel: true,
      transaction: this.scope.transaction,
    });
    return model === undefined ? null : toView(model.get({ plain: true }) as JobRow & Surroundings);
  }

  async velocityOfOwned(
    userId: string,
    id: string,
    { from, limit }: { from: number; limit: number },
  ): Promise<FoundVelocity | null> {
    const [model] = await this.scope.sequelize.query<JobModel>(VELOCITY, {
      bind: [userId, id, from, limit, ROWS_PER_PIECE],
      model: this.scope.models.jobs,
      mapToModel: true,
      transaction: this.scope.transaction,
    });
    if (model === undefined) return null;
    const row = model.get({ plain: true }) as JobRow & {
      pieces: { first: number; velocity: number[][] }[];
      kept_rows: number;
      resumed_rows: number | null;
      total: number | null;
      velocity: number[][] | null;
    };
    const { total, velocity } = row;
    const stored = total === null || velocity === null ? null : { total, velocity };
    const partial = cutRows(row.pieces, from, limit);
    return { job: toJob(row), partial, keptRows: row.kept_rows, resumedRows: row.resumed_rows ?? 0, stored };
  }
}

/**
 * Checkpoints and what came after them may overlap: the rows are the same. Pieces may begin before the first row that is
 * asked for; $5 is the length of the longest. The mapper wants the dollars of a JSON path doubled.
 */
const VELOCITY = `
SELECT job.*,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('first', first_row, 'velocity', velocity) ORDER BY first_row), '[]')
   FROM (SELECT first_row, velocity FROM inference_checkpoint_pieces WHERE job_id = job.id
         UNION ALL
         SELECT first_row, velocity FROM inference_partial_rows WHERE job_id = job.id AND attempt = job.attempt) AS piece
   WHERE first_row > $3::int - $5::int AND first_row < $3::int + $4::int
  ) AS pieces,
  coalesce((SELECT row_count FROM inference_checkpoints WHERE job_id = job.id),
    (SELECT max(first_row + row_count) FROM inference_partial_rows WHERE job_id = job.id AND attempt = job.attempt),
    0) AS kept_rows,
  (SELECT resumed_rows FROM inference_attempts WHERE job_id = job.id AND number = job.attempt) AS resumed_rows,
  jsonb_array_length(result.payload -> 'velocity') AS total,
  jsonb_path_query_array(result.payload -> 'velocity', '$[$$first to $$last]',
    jsonb_build_object('first', $3::int, 'last', $3::int + $4::int - 1)) AS velocity
FROM inference_jobs AS job
LEFT JOIN results AS result ON result.job_id = job.id AND coalesce(result.expires_at > now(), true)
WHERE job.user_id = $1 AND job.id = $2`;

interface FoundVelocity {
  job: Job;
  /** Of a job without a result: the rows from `from` on, as far as they are there without a gap. */
  partial: number[][];
  /** Of a job that ended without a result: how many are there. */
  keptRows: number;
  resumedRows: number;
  /** Of the result; null without one that is there. */
  stored: { total: number; velocity: number[][] } | null;
}

function cutRows(pieces: readonly { first: number; velocity: number[][] }[], from: number, limit: number): number[][] {
  const rows: number[][] = [];
  for (const { first, velocity } of pieces) {
    if (first > from + rows.length) break;
    rows.push(...velocity.slice(from + rows.length - first));
  }
  return rows.slice(0, limit);
}

/** Each half of the jobs ahead is a walk along the index of what is due, from its start and for a bounded way. */
const VIEW = `
SELECT job.*, dataset.name AS dataset_name, dataset.deleted_at IS NOT NULL AS dataset_deleted,
  goal.name AS goal_name, current.name AS current_name,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
     'number', number, 'outcome', outcome, 'code', error_code, 'message', error_message,
     'started_at', started_at, 'finished_at', finished_at, 'footprint', footprint,
     'resumed_rows', resumed_rows, 'runner_name', runner_name, 'runner_kind', runner_kind,
     'stopped_by', stopped_by, 'stopped_at', stopped_at) ORDER BY number), '[]')
   FROM inference_attempts WHERE job_id = job.id) AS attempts,
  ARRAY(SELECT id FROM inference_jobs WHERE retry_of = job.id ORDER BY created_at, id) AS retried_by,
  ARRAY(SELECT kind FROM credit_entries WHERE kind IN ('inference-capture', 'inference-release', 'refund')
          AND reference_id = job.id) AS bookings,
  CASE WHEN job.status = 'PENDING' AND job.available_at <= now() THEN least($3,
    (SELECT count(*) FROM (
       SELECT 1 FROM inference_jobs
       WHERE status = 'PENDING' AND priority > job.priority AND available_at <= now() LIMIT $3) AS urgent) +
    (SELECT count(*) FROM (
       SELECT 1 FROM inference_jobs
       WHERE status = 'PENDING' AND priority = job.priority AND available_at < job.available_at LIMIT $3) AS earlier)
  )::int END AS ahead,
  result.id IS NOT NULL AS has_result, result.expires_at AS result_expires_at,
  coalesce(result.removal, CASE WHEN result.expires_at <= now() THEN 'expired' END) AS result_gone
FROM inference_jobs AS job
JOIN datasets AS dataset ON dataset.id = job.dataset_id
JOIN videos AS goal ON goal.id = job.goal_video_id
JOIN videos AS current ON current.id = job.current_video_id
LEFT JOIN results AS result ON result.job_id = job.id
WHERE job.user_id = $1 AND job.id = $2`;

function toView(row: JobRow & Surroundings): JobView {
  const job = toJob(row);
  return {
    job,
    dataset: { id: row.datasetId, name: row.dataset_name, deleted: row.dataset_deleted },
    goalVideo: { id: row.goalVideoId, name: row.goal_name },
    currentVideo: { id: row.currentVideoId, name: row.current_name },
    attempts: row.attempts.map((attempt) => ({
      number: attempt.number,
      outcome: attempt.outcome,
      error: attempt.code === null ? null : { code: attempt.code, message: attempt.message ?? '' },
      startedAt: new Date(attempt.started_at),
      finishedAt: attempt.finished_at === null ? null : new Date(attempt.finished_at),
      resumedRows: attempt.resumed_rows,
      footprint: attempt.footprint,
      runner: toRunner(attempt),
      stop: toStop(attempt),
    })),
    retriedBy: row.retried_by,
    settlement: settlementOf(job, row.bookings),
    wait: waitOf(row),
    result: row.has_result ? { expiresAt: row.result_expires_at, gone: row.result_gone } : null,
  };
}

type AttemptFacts = Surroundings['attempts'][number];

const toRunner = ({ runner_name: name, runner_kind: kind }: AttemptFacts): AttemptView['runner'] =>
  name === null || kind === null ? null : { name, kind };

const toStop = ({ stopped_by: by, stopped_at: at }: AttemptFacts): AttemptView['stop'] =>
  by === null || at === null ? null : { by, stoppedAt: new Date(at) };

function settlementOf({ cost }: Job, bookings: readonly string[]): Settlement {
  if (cost === 0) return 'free';
  if (bookings.includes('refund')) return 'refunded';
  if (bookings.includes('inference-release')) return 'released';
  return bookings.includes('inference-capture') ? 'captured' : 'held';
}

function waitOf(row: JobRow & Surroundings): Wait | null {
  if (row.status !== 'PENDING') return null;
  if (row.ahead === null) return { reason: 'between-attempts', until: row.availableAt };
  return { reason: 'queued', ahead: row.ahead };
}
