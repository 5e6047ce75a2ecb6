import { afterEach, describe, expect, it } from 'vitest';
import { RunnerCrashedError, RunnerInputError } from '../../src/runners/runner.errors.js';
import { loseQueue, startApp, type App } from '../support/app.js';
import { buildJob } from '../support/build.js';
import { deafRunner, Gate } from '../support/deaf.runner.js';
import { attemptsOf, bookingsOf, claimAndFallSilent, jobEnd, jobRow, statusesOf } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { createScriptedRunner, type Script } from '../support/scripted.runner.js';
import { storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };
const PAID_ONCE = ['inference-hold -1', 'inference-capture 0'];
const PAID_BACK = ['inference-hold -1', 'inference-release 1'];
const SECOND_TRY = ['PENDING', 'RUNNING', 'PENDING', 'RUNNING', 'COMPLETED'];

/** A runner whose script depends on the number of the attempt; the last one is for all later attempts. */
const byAttempt = (...scripts: Script[]) =>
  createScriptedRunner({ behaviour: ({ attempt }) => scripts[Math.min(attempt, scripts.length) - 1] });

const never = new AbortController().signal;

describe('attempts at a job', () => {
  const apps: App[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    if (apps.length > 0) await expectLedgersToBalance(apps[0]);
    // Those beside others first.
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  async function expectOneResult(app: App, id: string): Promise<void> {
    const results = await app.sql<{ archive_key: string }>('SELECT archive_key FROM results WHERE job_id = $1', [id]);
    expect(results).toHaveLength(1);
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'an empty staging folder' });
    expect((await storedFiles(app)).results).toEqual([results[0].archive_key.split('/').at(-1)]);
    expect(await bookingsOf(app, id)).toEqual(PAID_ONCE);
  }

  it('gives a job to one of many workers that ask at once', async () => {
    const runner = createScriptedRunner({ behaviour: { msPerFrame: 10 } });
    const app = await start({ parts: ['http'], runner, settings: PRICED });
    const { id } = await buildJob(app);
    const { execution } = app.container.services;
    await Promise.all(Array.from({ length: 10 }, () => execution.execute(id, never)));
    expect(runner.begun).toHaveLength(1);
    expect(await attemptsOf(app, id)).toEqual([{ number: 1, outcome: 'COMPLETED', error_code: null }]);
    await expectOneResult(app, id);
  });

  it.each(['result', 'failure'] as const)('ignores a late %s of attempt 1', async (kind) => {
    const late = new Gate();
    const next = new Gate();
    const script = byAttempt(
      kind === 'result' ? {} : { failure: { afterFrames: 0, error: new RunnerInputError('too late') } },
      {},
    );
    const app = await start({ runner: deafRunner(script, [late, next]), settings: PRICED });
    const { id } = await buildJob(app);
    await until(() => late.waiting, { what: 'attempt 1' });
    await until(
      async () => {
        await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [id]);
        await app.container.services.recovery.recoverLost();
        return (await attemptsOf(app, id))[0].outcome === 'LOST';
      },
      { what: 'the loss of attempt 1' },
    );
    await until(() => next.waiting, { what: 'attempt 2' });
    late.open();
    await until(() => late.left, { what: 'the end of attempt 1' });
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'nothing of attempt 1' });
    expect(await jobRow(app, id)).toMatchObject({ status: 'RUNNING', attempt: 2 });
    next.open();
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 2, error_code: null });
    expect((await attemptsOf(app, id)).map(({ outcome }) => outcome)).toEqual(['LOST', 'COMPLETED']);
    expect(await statusesOf(app, id)).toEqual(SECOND_TRY);
    await expectOneResult(app, id);
  });

  it('repeats an attempt that failed for a passing reason, later each time', async () => {
    const crash = { failure: { afterFrames: 1, error: new RunnerCrashedError('The engine died.') } };
    const app = await start({ runner: byAttempt(crash, crash, {}), settings: PRICED });
    const { id } = await buildJob(app);
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 3 });
    expect(await attemptsOf(app, id)).toEqual([
      { number: 1, outcome: 'FAILED', error_code: 'runner-crashed' },
      { number: 2, outcome: 'FAILED', error_code: 'runner-crashed' },
      { number: 3, outcome: 'COMPLETED', error_code: null },
    ]);
    const pauses = await app.sql<{ seconds: number }>(
      `SELECT extract(epoch FROM started_at - lag(finished_at) OVER (ORDER BY number))::float AS seconds
       FROM inference_attempts WHERE job_id = $1 ORDER BY number OFFSET 1`,
      [id],
    );
    // 1 s and 2 s, at most half as much again; a bell may be heard up to a second early.
    expect(pauses[0].seconds).toBeGreaterThan(0.9);
    expect(pauses[1].seconds).toBeGreaterThan(1.9);
    expect(await statusesOf(app, id)).toEqual([
      'PENDING',
      'RUNNING',
      'PENDING',
      'RUNNING',
      'PENDING',
      'RUNNING',
      'COMPLETED',
    ]);
    await expectOneResult(app, id);
  });

  it('fails at once what no repetition can mend, and gives the credits back', async () => {
    const error = new RunnerInputError('The goal frame is blank.');
    const app = await start({ runner: byAttempt({ failure: { afterFrames: 1, error } }), settings: PRICED });
    const { id } = await buildJob(app);
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'FAILED', attempt: 1, error_code: 'runner-input' });
    expect(await statusesOf(app, id)).toEqual(['PENDING', 'RUNNING', 'FAILED']);
    expect(await bookingsOf(app, id)).toEqual(PAID_BACK);
    expect(await storedFiles(app)).toMatchObject({ results: [], staging: [] });
  });

  it('fails after the last attempt, gives the credits back, and tells nobody what an unknown error said', async () => {
    const failure = { afterFrames: 0, error: new TypeError('cannot read secrets of undefined') };
    const app = await start({ runner: byAttempt({ failure }), settings: { ...PRICED, JOB_MAX_ATTEMPTS: '2' } });
    const { id, user } = await buildJob(app);
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'FAILED', attempt: 2, error_code: 'platform-failure' });
    expect((await attemptsOf(app, id)).map(({ outcome }) => outcome)).toEqual(['FAILED', 'FAILED']);
    expect(await bookingsOf(app, id)).toEqual(PAID_BACK);
    const { body } = await user.api.get(`/api/inference/status/${id}`);
    expect(JSON.stringify(body)).not.toContain('secrets');
  });

  it('ends an attempt that takes too long', async () => {
    const settings = { ...PRICED, JOB_TIMEOUT: '1s', JOB_MAX_ATTEMPTS: '1' };
    const app = await start({ runner: byAttempt({ hangAfterFrames: 1 }), settings });
    const { id } = await buildJob(app);
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'FAILED', error_code: 'runner-timeout' });
    expect(await bookingsOf(app, id)).toEqual(PAID_BACK);
  });

  it('gives a job back at the shutdown of its worker, without counting the attempt; another completes it', async () => {
    const settings = { ...PRICED, JOB_MAX_ATTEMPTS: '1' };
    const app = await start({ parts: ['http'], settings });
    const leaving = await start({
      parts: ['worker'],
      beside: app,
      settings,
      runner: byAttempt({ hangAfterFrames: 1 }),
    });
    const { id } = await buildJob(app);
    await until(async () => (await jobRow(app, id)).status === 'RUNNING');
    await start({ parts: ['worker'], beside: app, settings });
    await leaving.stop();
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect((await attemptsOf(app, id)).map(({ outcome }) => outcome)).toEqual(['RELEASED', 'COMPLETED']);
    expect(await statusesOf(app, id)).toEqual(SECOND_TRY);
    await expectOneResult(app, id);
  });

  it('lets a running job end when it can before the shutdown must', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const settings = { ...PRICED, SHUTDOWN_TIMEOUT: '30s' };
    const leaving = await start({ parts: ['worker'], beside: app, settings, runner: byAttempt({ msPerFrame: 50 }) });
    const { id } = await buildJob(app);
    await until(async () => (await jobRow(app, id)).status === 'RUNNING');
    await leaving.stop();
    expect(await jobRow(app, id)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    await expectOneResult(app, id);
  });

  it('takes a job over from a worker that fell silent; one result, one charge', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const { id } = await buildJob(app);
    await claimAndFallSilent(app, id);
    await start({ parts: ['worker', 'scheduler'], beside: app, settings: PRICED });
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 2, error_code: null });
    expect(await attemptsOf(app, id)).toMatchObject([
      { outcome: 'LOST', error_code: 'worker-lost' },
      { outcome: 'COMPLETED' },
    ]);
    await expectOneResult(app, id);
  });

  it('fails a job whose workers fall silent too often, once, though two schedulers look', async () => {
    const settings = { ...PRICED, JOB_MAX_ATTEMPTS: '1' };
    const app = await start({ parts: ['http', 'scheduler'], settings });
    await start({ parts: ['scheduler'], beside: app, settings });
    const { id } = await buildJob(app);
    await claimAndFallSilent(app, id);
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'FAILED', error_code: 'worker-lost' });
    expect(await statusesOf(app, id)).toEqual(['PENDING', 'FAILED']);
    expect(await bookingsOf(app, id)).toEqual(PAID_BACK);
  });

  it('rings again for jobs that the queue has lost', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const { id } = await buildJob(app);
    await loseQueue(app);
    await start({ parts: ['worker', 'scheduler'], beside: app, settings: PRICED });
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    await expectOneResult(app, id);
  });

  it('leaves quietly what is no longer to be done', async () => {
    const runner = createScriptedRunner({ behaviour: {} });
    const app = await start({ runner, settings: PRICED });
    const { id } = await buildJob(app);
    await jobEnd(app, { id });
    await app.container.services.execution.execute(id, never);
    await app.container.services.execution.execute(crypto.randomUUID(), never);
    await app.container.services.recovery.recoverLost();
    await app.container.services.recovery.ringAgain();
    expect(runner.begun).toHaveLength(1);
    await expectOneResult(app, id);
  });

  it('gives several workers’ jobs out by priority', async () => {
    const runner = createScriptedRunner({ behaviour: {} });
    const app = await start({ parts: ['http'] });
    const first = await buildJob(app);
    const submit = async (priority: number): Promise<string> => {
      const parameters = {
        ...(await app.sql<{ parameters: object }>('SELECT parameters FROM inference_jobs'))[0].parameters,
      };
      const { body } = await first.user.api.post<{ jobId: string[] }>('/api/inference', {
        datasetId: first.datasetId,
        range: 'all',
        priority,
        parameters,
      });
      return body.jobId[0];
    };
    const low = await submit(1);
    const high = await submit(10);
    await start({ parts: ['worker'], beside: app, runner, settings: { WORKER_CONCURRENCY: '1' } });
    for (const id of [first.id, low, high]) await jobEnd(app, { id });
    expect(runner.begun.map(({ jobId }) => jobId)).toEqual([high, first.id, low]);
  });
});
