import { expect } from 'vitest';
import type { App } from './app.js';
import type { TestJob } from './build.js';
import { until } from './wait.js';

export interface JobRow {
  status: string;
  attempt: number;
  cost: number;
  error_code: string | null;
  error_message: string | null;
  cancel_requested_at: Date | null;
  stopped_at: Date | null;
}

export interface AttemptRow {
  number: number;
  outcome: string | null;
  error_code: string | null;
}

const FINAL = ['COMPLETED', 'FAILED', 'ABORTED'];

/** Waits for the end of a job, whichever it is. */
export async function jobEnd(app: App, { id }: Pick<TestJob, 'id'>, deadline = 30_000): Promise<JobRow> {
  return until(
    async () => {
      const row = await jobRow(app, id);
      return FINAL.includes(row.status) ? row : null;
    },
    { deadline, what: `the end of job ${id}` },
  );
}

export async function jobRow(app: App, id: string): Promise<JobRow> {
  const [row] = await app.sql<JobRow>(
    `SELECT status, attempt, cost, error_code, error_message, cancel_requested_at, stopped_at
     FROM inference_jobs WHERE id = $1`,
    [id],
  );
  return row;
}

export function attemptsOf(app: App, id: string): Promise<AttemptRow[]> {
  return app.sql<AttemptRow>(
    'SELECT number, outcome, error_code FROM inference_attempts WHERE job_id = $1 ORDER BY number',
    [id],
  );
}

/** Statuses in the order in which the event log tells them; progress within RUNNING counts once. */
export async function statusesOf(app: App, id: string): Promise<string[]> {
  const rows = await app.sql<{ status: string }>(
    `SELECT data->>'status' AS status FROM events WHERE subject_id = $1 AND NOT data ? 'progress' ORDER BY seq`,
    [id],
  );
  return rows.map((row) => row.status);
}

/** Kinds and amounts of the ledger entries about a job, in order. */
export async function bookingsOf(app: App, id: string): Promise<string[]> {
  const rows = await app.sql<{ kind: string; amount: number }>(
    'SELECT kind, amount FROM credit_entries WHERE reference_id = $1 ORDER BY id',
    [id],
  );
  return rows.map(({ kind, amount }) => `${kind} ${amount}`);
}

/** A worker that takes the job and is never heard of again. */
export async function claimAndFallSilent(app: App, id: string): Promise<void> {
  const claim = await app.container.infrastructure.repositories.jobs.claim(id, 'gone', 1);
  expect(claim).not.toBeNull();
}
