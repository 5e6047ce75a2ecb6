import { afterEach, describe, expect, it } from 'vitest';
import { RunnerCrashedError, RunnerInputError } from '../../src/runners/runner.errors.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, type TestJob } from '../support/build.js';
import { deafRunner, Gate, reluctantRunner } from '../support/deaf.runner.js';
import { attemptsOf, bookingsOf, claimAndFallSilent, jobEnd, jobRow, statusesOf } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner, type Script } from '../support/scripted.runner.js';
import { storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

/** Renewals come every third of the lease: what stops sooner was told to. */
const LONG_LEASE = { INFERENCE_FRAMES_PER_CREDIT: '5', JOB_LEASE: '10m' };
const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };
const PAID_BACK = ['inference-hold -1', 'inference-release 1'];

interface Cancellation {
  id: string;
  status: string;
  cancel_requested_at: string | null;
  stopped_at: string | null;
}

const runnerOf = (script: Script) => createScriptedRunner({ behaviour: script });

describe('cancelling a job', () => {
  const apps: App[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    if (apps.length > 0) await expectLedgersToBalance(apps[0]);
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  const cancel = ({ id, user }: TestJob) => user.api.post<Cancellation>(`/api/inference/${id}/cancel`);

  async function running(app: App, script: Script, parts: Parameters<typeof startApp>[0] = {}): Promise<TestJob> {
    await start({ parts: ['worker'], beside: app, settings: LONG_LEASE, runner: runnerOf(script), ...parts });
    const job = await buildJob(app);
    await until(async () => (await jobRow(app, job.id)).status === 'RUNNING');
    return job;
  }

  async function expectAborted(app: App, { id }: TestJob): Promise<void> {
    const row = await jobEnd(app, { id });
    expect(row).toMatchObject({ status: 'ABORTED', error_code: 'cancelled' });
    expect(row.stopped_at?.getTime()).toBeGreaterThanOrEqual(row.cancel_requested_at?.getTime() ?? Infinity);
    expect(await bookingsOf(app, id)).toEqual(PAID_BACK);
    expect(await app.sql('SELECT 1 FROM results WHERE job_id = $1', [id])).toEqual([]);
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'an empty staging folder' });
    expect((await storedFiles(app)).results).toEqual([]);
  }

  it('aborts a waiting job at once, gives the credits back, and no worker takes it', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const job = await buildJob(app);
    const { status, body } = await cancel(job);
    expect([status, body.id, body.status]).toEqual([200, job.id, 'ABORTED']);
    expect(body.stopped_at).toBe(body.cancel_requested_at);
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'ABORTED']);
    await expectAborted(app, job);
    const runner = runnerOf({});
    await start({ parts: ['worker', 'scheduler'], beside: app, runner });
    await jobEnd(app, await buildJob(app, { video: { ...job, id: '' } }));
    expect(runner.begun.map(({ jobId }) => jobId)).not.toContain(job.id);
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'ABORTED', attempt: 0 });
  });

  it('stops a job that runs in another process without waiting for the next renewal of its claim', async () => {
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const job = await running(app, { hangAfterFrames: 1 });
    const { status, body } = await cancel(job);
    expect([status, body]).toEqual([
      202,
      { id: job.id, status: 'RUNNING', cancel_requested_at: expect.any(String), stopped_at: null },
    ]);
    await expectAborted(app, job);
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'RUNNING', 'ABORTED']);
    expect(await attemptsOf(app, job.id)).toEqual([{ number: 1, outcome: 'ABORTED', error_code: 'cancelled' }]);
    const { body: told } = await job.user.api.get(`/api/inference/status/${job.id}`);
    expect(told).toMatchObject({ status: 'ABORTED', errorMessage: 'Cancelled by its owner.' });
  });

  it('stops a job although the connection that tells of it was cut', async () => {
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const job = await running(app, { hangAfterFrames: 1 });
    await app.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'infernode events'`);
    expect((await cancel(job)).status).toBe(202);
    await expectAborted(app, job);
  });

  it('says the same again while the runner has not stopped, and 409 once the job has ended', async () => {
    const gate = new Gate();
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const job = await running(app, {}, { runner: deafRunner(runnerOf({}), [gate]) });
    await until(() => gate.waiting);
    const first = await cancel(job);
    const second = await cancel(job);
    expect([second.status, second.body]).toEqual([202, first.body]);
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'RUNNING', stopped_at: null });
    gate.open();
    await expectAborted(app, job);
    expectProblem(await cancel(job), 'job-already-final');
  });

  it('wins against a result that comes after it', async () => {
    const gate = new Gate();
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const job = await running(app, {}, { runner: deafRunner(runnerOf({}), [gate]) });
    await until(() => gate.waiting);
    expect((await cancel(job)).status).toBe(202);
    gate.open();
    await expectAborted(app, job);
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'RUNNING', 'ABORTED']);
  });

  it.each([
    ['a failure that another attempt could mend', new RunnerCrashedError('The engine died.')],
    ['a failure for good', new RunnerInputError('The goal frame is blank.')],
  ])('wins against %s', async (_name, error) => {
    const gate = new Gate();
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const runner = deafRunner(runnerOf({ failure: { afterFrames: 0, error } }), [gate]);
    const job = await running(app, {}, { runner });
    await until(() => gate.waiting);
    expect((await cancel(job)).status).toBe(202);
    gate.open();
    await expectAborted(app, job);
  });

  it('ends a job whose worker dies after the request, instead of repeating it', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const job = await buildJob(app);
    await claimAndFallSilent(app, job.id);
    expect((await cancel(job)).status).toBe(202);
    await start({ parts: ['worker', 'scheduler'], beside: app, settings: PRICED });
    await start({ parts: ['scheduler'], beside: app, settings: PRICED });
    await expectAborted(app, job);
    expect(await attemptsOf(app, job.id)).toMatchObject([{ outcome: 'LOST', error_code: 'worker-lost' }]);
  });

  it('ends a job whose worker shuts down after the request, instead of giving it back', async () => {
    const gate = new Gate();
    const app = await start({ parts: ['http'], settings: LONG_LEASE });
    const job = await running(app, {}, { runner: reluctantRunner(runnerOf({ hangAfterFrames: 1 }), gate) });
    const stopping = apps[1].stop();
    await until(() => gate.waiting, { what: 'the worker telling its runner to stop' });
    expect((await cancel(job)).status).toBe(202);
    gate.open();
    await stopping;
    await expectAborted(app, job);
  });

  it('aborts a job that waits for its next attempt', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const failure = { afterFrames: 1, error: new RunnerCrashedError('The engine died.') };
    const settings = { ...PRICED, JOB_BACKOFF: '1h' };
    await start({ parts: ['worker'], beside: app, settings, runner: runnerOf({ failure }) });
    const job = await buildJob(app);
    await until(async () => {
      const { status, attempt } = await jobRow(app, job.id);
      return status === 'PENDING' && attempt === 1;
    });
    expect((await cancel(job)).body.status).toBe('ABORTED');
    await expectAborted(app, job);
    expect(await attemptsOf(app, job.id)).toMatchObject([{ outcome: 'FAILED', error_code: 'runner-crashed' }]);
  });

  it('happens once, though many ask two servers for it at once', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const twin = await start({ parts: ['http'], beside: app, settings: PRICED });
    const job = await buildJob(app);
    const clients = Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? app : twin).client(job.user.token));
    const answers = await Promise.all(clients.map((client) => client.post(`/api/inference/${job.id}/cancel`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(11).fill(409)]);
    await expectAborted(app, job);
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'ABORTED']);
  });

  it('keeps its word whatever workers do at that moment: accepted means aborted, refused means ended', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const twin = await start({ beside: app, settings: PRICED, runner: runnerOf({ msPerFrame: 1 }) });
    await start({ parts: ['worker'], beside: app, settings: PRICED, runner: runnerOf({}) });
    const video = await buildVideo(app);
    const ends = Array.from({ length: 30 }, async (_, index) => {
      const job = await buildJob(app, { video });
      if (index % 3 > 0) await until(async () => (await jobRow(app, job.id)).status !== 'PENDING');
      const { status } = await twin.client(video.user.token).post(`/api/inference/${job.id}/cancel`);
      const end = await jobEnd(app, job);
      expect([status, end.status]).toEqual(
        status === 409 ? [409, 'COMPLETED'] : [expect.toBeOneOf([200, 202]), 'ABORTED'],
      );
      const paid = end.status === 'COMPLETED' ? ['inference-hold -1', 'inference-capture 0'] : PAID_BACK;
      expect(await bookingsOf(app, job.id)).toEqual(paid);
    });
    await Promise.all(ends);
  });

  it('refuses what is not there to be cancelled', async () => {
    const app = await start({});
    const job = await buildJob(app);
    const other = await buildUser(app);
    await jobEnd(app, job);
    expectProblem(await cancel(job), 'job-already-final');
    expectProblem(await cancel({ ...job, user: other }), 'not-found');
    expectProblem(await cancel({ ...job, id: crypto.randomUUID() }), 'not-found');
    expectProblem(await cancel({ ...job, id: 'no-id' }), 'not-found');
  });
});
