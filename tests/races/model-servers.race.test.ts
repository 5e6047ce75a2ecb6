import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/composition/ledger-check.js';
import { loadSample } from '../../src/runners/servo-sample.js';
import { startApp, type App } from '../support/app.js';
import { buildUser, buildVideo, PARAMETERS, type TestUser } from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { FastApiProcess } from '../support/model-servers/fastapi-process.js';
import type { ServerFault } from '../support/model-servers/server-faults.js';
import { silentLogger } from '../support/silent-logger.js';
import { until } from '../support/wait.js';

const JOBS = 300;
const USERS = 3;
const AT_A_TIME = 10;
/** Half a minute on a machine that has nothing else to do. */
const TIMEOUT_MS = 300_000;
/** Each job has five frames. */
const PRICE = 1;
const CREDITS = 150;
const SLOTS = { mortal: 4, garbage: 3, slow: 2 } as const;
/** One after the other, job by job. */
const GARBAGE: readonly ServerFault[] = ['not-json', 'nan', 'html', 'too-few-rows', 'not-a-zip', 'dies-mid-json'];

/** The servers are those of the settings, and their clients are real. */
const NONE_BY_SCRIPT = {};

interface Attempt {
  job: string;
  number: number;
  runner: string;
  outcome: string;
  error: string | null;
}

describe('three model servers, of which one is killed, one returns garbage and one is slow', () => {
  const servers = new Map<string, FastApiProcess>();
  let app: App;
  let others: App[];
  beforeAll(async () => {
    const [mortal, garbage, slow] = await Promise.all([
      FastApiProcess.start({ slots: SLOTS.mortal, msPerFrame: 20 }),
      FastApiProcess.start({ slots: SLOTS.garbage, faults: GARBAGE }),
      FastApiProcess.start({ slots: SLOTS.slow, msPerFrame: 100 }),
    ]);
    servers.set('mortal', mortal).set('garbage', garbage).set('slow', slow);
    const runners = [...servers].map(([name, { url }]) => ({ name, kind: 'fastapi', url: url.href }));
    const settings = {
      RUNNERS: JSON.stringify(runners),
      UPLOAD_FRAMES_PER_CREDIT: '0',
      INFERENCE_FRAMES_PER_CREDIT: '5',
      WORKER_CONCURRENCY: '8',
      RUNNER_BREAKER_PAUSE: '2s',
    };
    app = await startApp({ parts: ['http', 'scheduler'], runners: NONE_BY_SCRIPT, settings });
    others = await Promise.all([
      startApp({ parts: ['worker'], beside: app, runners: NONE_BY_SCRIPT, settings }),
      startApp({ parts: ['worker'], beside: app, runners: NONE_BY_SCRIPT, settings }),
    ]);
  });
  afterAll(async () => {
    // First: an app expects its end to leave no child process behind.
    for (const server of servers.values()) await server.kill();
    for (const other of others) await other.stop();
    await app.stop();
  });

  const completed = async (): Promise<number> => {
    const [{ count }] = await app.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM inference_jobs WHERE status = 'COMPLETED'`,
    );
    return count;
  };
  const completes = (jobs: number): Promise<unknown> =>
    until(async () => (await completed()) >= jobs, { deadline: TIMEOUT_MS, what: `${jobs} completed jobs` });

  it('complete every job once, and every one is paid once', { timeout: TIMEOUT_MS }, async () => {
    const users = await Promise.all(Array.from({ length: USERS }, () => buildUser(app, { credits: CREDITS })));
    const submitted = Promise.all(users.map((user) => submitAll(app, user, JOBS / USERS)));
    await completes(60);
    const mortal = servers.get('mortal');
    if (mortal === undefined) throw new Error('There is no such server.');
    await mortal.kill();
    await completes(120);
    servers.set('mortal', await FastApiProcess.start({ slots: SLOTS.mortal, msPerFrame: 20, port: mortal.port }));
    const ids = (await submitted).flat();
    await completes(JOBS);

    await expectEachOnce(app, ids);
    await expectRightNumbers(app);
    expect(await Promise.all(users.map((user) => user.api.credits()))).toEqual(
      users.map(() => CREDITS - (JOBS / USERS) * PRICE),
    );
    await expectLedgersToBalance(app);
    expect((await checkLedger(app.config, silentLogger)).difference).toBeNull();

    const attempts = await attemptsOf(app);
    await expectNoOverlap(app);
    for (const [name, server] of servers) {
      expect((await server.counters()).peak, name).toBeLessThanOrEqual(SLOTS[name as keyof typeof SLOTS]);
    }
    const failures = (runner: string): Set<string | null> =>
      new Set(attempts.filter((one) => one.runner === runner && one.outcome === 'FAILED').map(({ error }) => error));
    expect(failures('garbage')).toContain('runner-protocol');
    expect(attempts.filter(({ runner, outcome }) => runner === 'garbage' && outcome === 'COMPLETED')).toEqual([]);
    expect(failures('slow')).toEqual(new Set());
    expect([...failures('mortal')].every((code) => code === 'runner-crashed' || code === 'runner-unavailable')).toBe(
      true,
    );

    expect(await breakerOf(app, 'garbage')).toContain('CLOSED → OPEN');
    const afterDeath = await breakerOf(app, 'mortal');
    expect(afterDeath).toContain('CLOSED → OPEN');
    expect(afterDeath.at(-1)).toBe('HALF_OPEN → CLOSED');
    expect(await breakerOf(app, 'slow')).toEqual([]);
  });
});

async function submitAll(app: App, user: TestUser, jobs: number): Promise<string[]> {
  const { datasetId } = await buildVideo(app, { user });
  const ids: string[] = [];
  const submitSome = async (count: number): Promise<void> => {
    for (let job = 0; job < count; job++) {
      const body = { datasetId, range: 'all', parameters: PARAMETERS };
      const answer = await user.api.post<{ jobId: string[] }>('/api/inference', body);
      expect(answer.status).toBe(202);
      ids.push(...answer.body.jobId);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, () => submitSome(jobs / AT_A_TIME)));
  return ids;
}

/** One row, one result, one payment, one ending in the log for each job that was submitted, and for no other. */
async function expectEachOnce(app: App, ids: readonly string[]): Promise<void> {
  expect(new Set(ids).size).toBe(JOBS);
  const rows = await app.sql<Record<string, unknown>>(
    `SELECT status,
       (SELECT count(*)::int FROM results WHERE job_id = job.id) AS results,
       (SELECT count(*)::int FROM inference_attempts WHERE job_id = job.id AND outcome = 'COMPLETED') AS completions,
       (SELECT count(*)::int FROM events WHERE subject_id = job.id AND data->>'status' = 'COMPLETED') AS notices,
       (SELECT json_agg(kind || ' ' || amount ORDER BY id) FROM credit_entries WHERE reference_id = job.id) AS bookings
     FROM inference_jobs job`,
  );
  const bookings = [`inference-hold -${PRICE}`, 'inference-capture 0'];
  const once = { status: 'COMPLETED', results: 1, completions: 1, notices: 1, bookings };
  expect(rows).toHaveLength(JOBS);
  expect(rows.filter((row) => JSON.stringify(row) !== JSON.stringify(once))).toEqual([]);
}

/** What the broken server said is in no result. */
async function expectRightNumbers(app: App): Promise<void> {
  const { truth } = await loadSample();
  const results = await app.sql<{ velocity: number[][] }>(`SELECT payload->'velocity' AS velocity FROM results`);
  const right = JSON.stringify(truth.slice(0, 5));
  expect(results.filter(({ velocity }) => JSON.stringify(velocity) !== right)).toEqual([]);
}

function attemptsOf(app: App): Promise<Attempt[]> {
  return app.sql<Attempt>(
    `SELECT job_id AS job, number, runner_name AS runner, outcome, error_code AS error FROM inference_attempts`,
  );
}

/** Of two attempts at one job the second begins when the first has ended. */
async function expectNoOverlap(app: App): Promise<void> {
  const overlaps = await app.sql(
    `SELECT a.job_id, a.number, b.number AS other FROM inference_attempts a
     JOIN inference_attempts b ON b.job_id = a.job_id AND b.number > a.number AND b.started_at < a.finished_at`,
  );
  expect(overlaps).toEqual([]);
}

/** Transitions of the breaker of one runner, in order. */
async function breakerOf(app: App, name: string): Promise<string[]> {
  const rows = await app.sql<{ step: string }>(
    `SELECT from_state || ' → ' || to_state AS step FROM runner_events JOIN runners ON runners.id = runner_id
     WHERE runners.name = $1 AND runner_events.kind = 'breaker' ORDER BY runner_events.position`,
    [name],
  );
  return rows.map(({ step }) => step);
}
