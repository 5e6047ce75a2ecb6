import { afterEach, describe, expect, it } from 'vitest';
import {
  RunnerBusyError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerRefusedError,
} from '../../src/runners/runner.errors.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildVideo, type TestJob } from '../support/build.js';
import { Gate } from '../support/deaf.runner.js';
import { attemptsOf, claimAndFallSilent, jobEnd, jobRow } from '../support/jobs.js';
import { createScriptedRunner, type ScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

const CRASH = { failure: { afterFrames: 0, error: new RunnerCrashedError('The server died.') } };
/** Nobody shuts a breaker by chance. */
const PATIENT = { RUNNER_BREAKER_FAILURES: '1000' };

interface RunnerRow {
  id: string;
  health_state: string;
  breaker_state: string;
  breaker_openings: number;
  not_before: Date | null;
}

describe('runners', () => {
  const apps: App[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    // Those beside others first.
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  const rowOf = async (app: App, name: string): Promise<RunnerRow> => {
    const [row] = await app.sql<RunnerRow>('SELECT * FROM runners WHERE name = $1 AND deleted_at IS NULL', [name]);
    return row;
  };
  const ready = (app: App, ...names: string[]) =>
    until(async () => (await Promise.all(names.map((name) => rowOf(app, name)))).every(isReady), {
      what: 'the runners',
    });
  const isReady = (row: RunnerRow) => row.health_state === 'READY';
  const runnersOf = async (app: App, { id }: Pick<TestJob, 'id'>): Promise<(string | null)[]> => {
    const rows = await app.sql<{ runner_name: string | null }>(
      'SELECT runner_name FROM inference_attempts WHERE job_id = $1 ORDER BY number',
      [id],
    );
    return rows.map(({ runner_name }) => runner_name);
  };
  const submit = async (app: App, count: number): Promise<TestJob[]> => {
    const video = await buildVideo(app);
    return Promise.all(Array.from({ length: count }, () => buildJob(app, { video })));
  };

  it('are never given more jobs than they have slots, however many workers there are', async () => {
    const gpu = createScriptedRunner({ behaviour: { msPerFrame: 10 }, slots: 2 });
    const app = await start({ runners: { gpu } });
    await start({ beside: app, parts: ['worker'], runners: { gpu } });
    await start({ beside: app, parts: ['worker'], runners: { gpu } });
    const jobs = await submit(app, 12);
    for (const job of jobs) expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    expect(gpu.peak).toBeLessThanOrEqual(2);
    expect(gpu.begun).toHaveLength(12);
    expect(await runnersOf(app, jobs[0])).toEqual(['gpu']);
  });

  it('share the jobs by their load', async () => {
    const behaviour = { msPerFrame: 20 };
    const [one, two] = [createScriptedRunner({ behaviour, slots: 2 }), createScriptedRunner({ behaviour, slots: 2 })];
    const app = await start({ runners: { one, two } });
    await ready(app, 'one', 'two');
    for (const job of await submit(app, 8)) await jobEnd(app, job);
    expect(one.begun.length).toBeGreaterThan(0);
    expect(two.begun.length).toBeGreaterThan(0);
    expect(one.begun.length + two.begun.length).toBe(8);
  });

  it('that failed a job are avoided by its next attempt', async () => {
    const broken = createScriptedRunner({ behaviour: CRASH });
    const good = createScriptedRunner({ behaviour: {} });
    const app = await start({ runners: { broken, good }, settings: PATIENT });
    await ready(app, 'broken', 'good');
    const jobs = await submit(app, 6);
    for (const job of jobs) {
      expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
      expect((await runnersOf(app, job)).at(-1)).toBe('good');
      expect((await runnersOf(app, job)).filter((name) => name === 'broken').length).toBeLessThanOrEqual(1);
    }
    expect(broken.begun.length).toBeGreaterThan(0);
  });

  it('that refuse the platform are not asked again for the job, which fails when there is no other', async () => {
    const error = new RunnerRefusedError('The token is wrong.');
    const strict = createScriptedRunner({ behaviour: { failure: { afterFrames: 0, error } } });
    const app = await start({ runners: { strict }, settings: PATIENT });
    const [job] = await submit(app, 1);
    expect(await jobEnd(app, job)).toMatchObject({ status: 'FAILED', attempt: 1, error_code: 'runner-refused' });
    expect(strict.begun).toHaveLength(1);
  });

  it('that are full after all get the job later, and that attempt does not count', async () => {
    const error = new RunnerBusyError('No free slot.', { retryAfterSeconds: 1 });
    const full = createScriptedRunner({
      behaviour: ({ attempt }) => (attempt <= 2 ? { failure: { afterFrames: 0, error } } : {}),
    });
    const app = await start({ runners: { full }, settings: { JOB_MAX_ATTEMPTS: '1' } });
    const [job] = await submit(app, 1);
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 3 });
    expect(await attemptsOf(app, job.id)).toEqual([
      { number: 1, outcome: 'RELEASED', error_code: 'runner-busy' },
      { number: 2, outcome: 'RELEASED', error_code: 'runner-busy' },
      { number: 3, outcome: 'COMPLETED', error_code: null },
    ]);
    const pauses = await app.sql<{ seconds: number }>(
      `SELECT extract(epoch FROM started_at - lag(finished_at) OVER (ORDER BY number))::float AS seconds
       FROM inference_attempts WHERE job_id = $1 ORDER BY number OFFSET 1`,
      [job.id],
    );
    for (const { seconds } of pauses) expect(seconds).toBeGreaterThan(0.8);
    expect(await rowOf(app, 'full')).toMatchObject({ breaker_state: 'CLOSED' });
  });

  it('that fail again and again are left alone, and tried by one job at a time', async () => {
    let isMended = false;
    const gate = new Gate();
    const inner = createScriptedRunner({ behaviour: () => (isMended ? {} : CRASH), slots: 4 });
    let trials = 0;
    const shaky: ScriptedRunner = {
      ...inner,
      describe: () => inner.describe(),
      async run(input, context) {
        if (isMended) {
          trials++;
          if (trials === 1) {
            gate.waiting = true;
            await gate.opened;
          }
        }
        return inner.run(input, context);
      },
    };
    const settings = { RUNNER_BREAKER_FAILURES: '3', RUNNER_BREAKER_PAUSE: '1s', JOB_MAX_ATTEMPTS: '20' };
    const app = await start({ runners: { shaky }, settings });
    await start({ beside: app, parts: ['worker'], runners: { shaky }, settings });
    const jobs = await submit(app, 6);
    await until(async () => (await rowOf(app, 'shaky')).breaker_openings >= 2, { what: 'the second opening' });
    isMended = true;
    await until(() => gate.waiting, { what: 'the trial' });
    await until(async () => (await rowOf(app, 'shaky')).breaker_state === 'HALF_OPEN', {
      what: 'the half-open breaker',
    });
    // All others are due by now, and ask again and again.
    await app.sql(`UPDATE inference_jobs SET available_at = now() WHERE status = 'PENDING'`);
    await app.container.services.recovery.ringAgain();
    await until(async () => (await attemptsRunning(app)) === 1);
    expect(trials).toBe(1);
    gate.open();
    for (const job of jobs) expect(await jobEnd(app, job, 60_000)).toMatchObject({ status: 'COMPLETED' });
    expect(await rowOf(app, 'shaky')).toMatchObject({ breaker_state: 'CLOSED', breaker_openings: 0 });
    const moves = await app.sql<{ move: string }>(
      `SELECT from_state || '>' || to_state AS move FROM runner_events WHERE kind = 'breaker' ORDER BY position`,
    );
    expect(moves.map(({ move }) => move)).toEqual(
      expect.arrayContaining(['CLOSED>OPEN', 'OPEN>HALF_OPEN', 'HALF_OPEN>OPEN', 'HALF_OPEN>CLOSED']),
    );
  });

  const attemptsRunning = async (app: App): Promise<number> => {
    const [{ count }] = await app.sql<{ count: string }>(
      'SELECT count(*) FROM inference_attempts WHERE outcome IS NULL',
    );
    return Number(count);
  };

  it('that let the deadline pass again and again are left alone like those that fail', async () => {
    const hanging = createScriptedRunner({ behaviour: { hangAfterFrames: 0 } });
    const settings = { RUNNER_BREAKER_FAILURES: '2', RUNNER_BREAKER_PAUSE: '1h', JOB_TIMEOUT: '1s' };
    const app = await start({ runners: { hanging }, settings });
    await submit(app, 2);
    await until(async () => (await rowOf(app, 'hanging')).breaker_state === 'OPEN', { what: 'the open breaker' });
    await until(async () => (await attemptsRunning(app)) === 0, { what: 'the end of their attempts' });
  });

  it('that say what the database cannot keep fail the job with words that it can', async () => {
    const broken = 'NUL \0 and half a pair \ud83d';
    const result = createScriptedRunner({ behaviour: {} });
    const chatty: ScriptedRunner = {
      ...result,
      run: async (input, context) => ({ ...(await result.run(input, context)), warnings: [broken] }),
    };
    const refusal = { failure: { afterFrames: 0, error: new RunnerInputError(broken) } };
    const app = await start({ runners: { chatty }, settings: { JOB_MAX_ATTEMPTS: '1', ...PATIENT } });
    const [job] = await submit(app, 1);
    expect(await jobEnd(app, job)).toMatchObject({ status: 'FAILED', attempt: 1, error_code: 'runner-protocol' });
    const other = await start({ runners: { strict: createScriptedRunner({ behaviour: refusal }) } });
    const [refused] = await submit(other, 1);
    expect(await jobEnd(other, refused)).toMatchObject({ status: 'FAILED', attempt: 1, error_code: 'runner-input' });
  });

  it('get jobs where workers run and no scheduler does', async () => {
    const gpu = createScriptedRunner({ behaviour: {} });
    const app = await start({ parts: ['http', 'worker'], alone: true, runners: { gpu } });
    const [job] = await submit(app, 1);
    await ready(app, 'gpu');
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
  });

  it('that are drained finish what they have, get nothing new, and then can be removed', async () => {
    const old = createScriptedRunner({ behaviour: { hangAfterFrames: 2 }, slots: 1 });
    const app = await start({ runner: createScriptedRunner({ behaviour: {}, slots: 1 }), runnersToAdd: { old } });
    const admin = await buildAdmin(app);
    const added = await admin.api.post<{ runner: { id: string } }>('/api/admin/runners', {
      name: 'old',
      kind: 'fastapi',
      url: 'http://old.test:8000',
    });
    expect(added.status).toBe(201);
    const { id } = added.body.runner;
    await ready(app, 'old');
    const jobs = await submit(app, 6);
    await until(() => old.begun.length === 1, { what: 'a job on the old runner' });
    expect((await admin.api.delete(`/api/admin/runners/${id}`)).body).toMatchObject({ code: 'runner-in-use' });
    expect((await admin.api.post(`/api/admin/runners/${id}/drain`)).status).toBe(200);
    const [held] = old.begun;
    for (const job of jobs.filter((one) => one.id !== held.jobId)) {
      expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
      expect((await runnersOf(app, job)).at(-1)).toBe('embedded');
    }
    expect(await jobRow(app, held.jobId)).toMatchObject({ status: 'RUNNING' });
    old.crash();
    expect(await jobEnd(app, { id: held.jobId })).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(old.begun).toHaveLength(1);
    expect((await admin.api.delete(`/api/admin/runners/${id}`)).status).toBe(200);
    expect((await admin.api.get(`/api/admin/runners/${id}`)).status).toBe(404);
    expect(await runnersOf(app, { id: held.jobId })).toEqual(['old', 'embedded']);
  });

  it('give the place of a dead worker back with its lease', async () => {
    const gpu = createScriptedRunner({ behaviour: {}, slots: 1 });
    const app = await start({ parts: ['http'], runners: { gpu } });
    const [lost, next] = await submit(app, 2);
    const { id, name, kind } = await app
      .sql<{ id: string; name: string; kind: string }>(
        `UPDATE runners SET health_state = 'READY' WHERE name = 'gpu' RETURNING id, name, kind`,
      )
      .then(([row]) => row);
    await app.container.infrastructure.repositories.jobs.claim(lost.id, 'gone', 1, { id, name, kind });
    await start({ beside: app, parts: ['worker'], runners: { gpu } });
    expect(
      (await next.user.api.get<{ job: { wait: object } }>(`/api/inference/${next.id}`)).body.job.wait,
    ).toMatchObject({
      reason: 'runners-busy',
    });
    expect(gpu.begun).toHaveLength(0);
    await start({ beside: app, parts: ['scheduler'], runners: { gpu } });
    for (const job of [lost, next]) expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
    expect(gpu.peak).toBe(1);
    expect(await runnersOf(app, lost)).toEqual(['gpu', 'gpu']);
  });

  it('that go while a job waits for them leave it to the next one', async () => {
    const busy = createScriptedRunner({ behaviour: { hangAfterFrames: 1 }, slots: 1 });
    const late = createScriptedRunner({ behaviour: {} });
    const app = await start({ runners: { busy }, runnersToAdd: { late } });
    const admin = await buildAdmin(app);
    await ready(app, 'busy');
    const jobs = await submit(app, 2);
    await until(() => busy.begun.length === 1, { what: 'the first job' });
    const waiting = jobs.find(({ id }) => id !== busy.begun[0].jobId) as TestJob;
    const { id } = await rowOf(app, 'busy');
    await admin.api.request('PATCH', `/api/admin/runners/${id}`, { json: { enabled: false } });
    const view = await waiting.user.api.get<{ job: { wait: { reason: string } } }>(`/api/inference/${waiting.id}`);
    expect(view.body.job.wait.reason).toBe('no-runner');
    await admin.api.post('/api/admin/runners', { name: 'late', kind: 'fastapi', url: 'http://late.test:8000' });
    expect(await jobEnd(app, waiting)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    expect(await runnersOf(app, waiting)).toEqual(['late']);
  });

  it('that say nothing get no jobs until they answer again', async () => {
    let isThere = false;
    const health = () => {
      if (!isThere) throw new Error('connect ECONNREFUSED');
      return { state: 'READY' } as const;
    };
    const gpu = createScriptedRunner({ behaviour: {}, health });
    const app = await start({ runners: { gpu } });
    const [job] = await submit(app, 1);
    await until(async () => (await rowOf(app, 'gpu')).health_state === 'UNHEALTHY', { what: 'the first look' });
    const view = await job.user.api.get<{ job: { wait: { reason: string } } }>(`/api/inference/${job.id}`);
    expect(view.body.job.wait.reason).toBe('runners-down');
    expect(gpu.begun).toHaveLength(0);
    isThere = true;
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
  });

  it('of the engine inside hold jobs of their own worker only', async () => {
    const app = await start({ parts: ['http'] });
    await claimAndFallSilent(app, (await submit(app, 1))[0].id);
    const engine = createScriptedRunner({ behaviour: { msPerFrame: 5 }, slots: 1 });
    await start({ beside: app, parts: ['worker', 'scheduler'], runner: engine });
    for (const job of await submit(app, 4)) expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
    expect(engine.peak).toBe(1);
  });
});
