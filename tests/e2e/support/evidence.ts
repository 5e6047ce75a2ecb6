import { expect } from 'vitest';
import type { JobNotification } from '../../../src/contract/events.contract.js';
import type { ApiUser } from './api-user.js';
import { EventFollower } from './event-follower.js';
import type { Installation } from './installation.js';
import { until } from '../../support/wait.js';

export interface JobEvidence {
  /** Outcome of each attempt, in order. */
  attempts: (string | null)[];
  /** Statuses of the events, progress left out. */
  statuses: string[];
}

/**
 * Looks at what a completed job has left, in the database, in the log of events and on the disk, and checks what has to
 * hold whatever happened to it: one result, one payment, events without gaps, no file that belongs to nothing.
 *
 * @param expected.cost credits that the job had to cost
 * @param expected.files objects that have to lie in the store: two videos and one archive for a single job
 */
export async function examineJob(
  installation: Installation,
  user: ApiUser,
  jobId: string,
  expected: { cost: number; files?: number },
): Promise<JobEvidence> {
  const results = await installation.query('SELECT id FROM results WHERE job_id = $1', [jobId]);
  expect(results).toHaveLength(1);

  const entries = await installation.query<{ kind: string; amount: number }>(
    'SELECT kind, amount FROM credit_entries WHERE reference_id = $1 ORDER BY id',
    [jobId],
  );
  expect(entries).toEqual([
    { kind: 'inference-hold', amount: -expected.cost },
    { kind: 'inference-capture', amount: 0 },
  ]);
  await expectBalancedLedger(installation);

  expect(await installation.files('objects')).toHaveLength(expected.files ?? 3);
  const attempts = await installation.query<{ outcome: string | null }>(
    'SELECT outcome FROM inference_attempts WHERE job_id = $1 ORDER BY number',
    [jobId],
  );
  const events = await allEvents(user);
  expectGapFree(events);
  return { attempts: attempts.map(({ outcome }) => outcome), statuses: transitionsOf(events, jobId) };
}

/** The balance of every user is the sum of the entries, and not below zero. */
export async function expectBalancedLedger(installation: Installation): Promise<void> {
  const wrong = await installation.query(
    `SELECT u.id, u.credit, coalesce(sum(e.amount), 0) AS booked FROM users u LEFT JOIN credit_entries e ON e.user_id = u.id
     GROUP BY u.id HAVING u.credit <> coalesce(sum(e.amount), 0) OR u.credit < 0`,
  );
  expect(wrong).toEqual([]);
}

/** Everything in the user's log, read from its start. */
async function allEvents(user: ApiUser): Promise<JobNotification[]> {
  const follower = new EventFollower(user.baseUrl, user.token);
  await follower.connect();
  try {
    await until(() => follower.events.some(({ data }) => data.status === 'COMPLETED'), {
      what: 'the end of the job is in the log',
    });
    return follower.events;
  } finally {
    follower.cut();
  }
}

export function expectGapFree(events: readonly JobNotification[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
}

/** Statuses in order, without the repetitions that carry progress. */
export function transitionsOf(events: readonly JobNotification[], jobId: string): string[] {
  const statuses = events.filter(({ data }) => data.inferenceId === jobId).map(({ data }) => data.status);
  return statuses.filter((status, index) => status !== statuses[index - 1]);
}
