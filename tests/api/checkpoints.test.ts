import { mkdtemp, rm, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { createClient, type Client } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, type TestJob, type TestUser } from '../support/build.js';
import { attemptsOf, bookingsOf, jobEnd, jobRow } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner, type Script } from '../support/scripted.runner.js';
import { storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';
import { readZip } from '../support/zip-content.js';

const FRAMES = { startFrame: 2, endFrame: 20, frameStep: 2 };
const TOTAL = 10;
const frameOf = (row: number): number => FRAMES.startFrame + row * FRAMES.frameStep;
const ALL_ROWS = Array.from({ length: TOTAL }, (_, row) => row);
const ALL_VELOCITIES = ALL_ROWS.map((row) => [0.01 * frameOf(row), 0, 0, 0, 0, 0.001 * frameOf(row)]);
const ALL_PICTURES = ALL_ROWS.map((row) => `picture of frame ${frameOf(row)}`);
const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };

/** A runner with a checkpoint behind every third row; its script depends on the number of the job and of the attempt. */
const runnerOf = (scripts: readonly Script[], checkpointKey?: string) => {
  let begun = 0;
  return createScriptedRunner({
    behaviour: () => ({ checkpointEvery: 3, ...scripts[begun++] }),
    ...(checkpointKey === undefined ? {} : { checkpointKey }),
  });
};
const crash = new RunnerCrashedError('The engine died.');

describe('a job whose attempt did not end well', () => {
  const apps: App[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  const sdkOf = (app: App, { token }: TestUser): Client => createClient({ baseUrl: app.baseUrl, token });
  const resultOf = async (app: App, job: TestJob) => (await sdkOf(app, job.user).getJobResult(job.id)).results;
  const resumedRowsOf = async (app: App, job: TestJob): Promise<number[]> => {
    const view = await sdkOf(app, job.user).getJob(job.id);
    return view.job.attempts.map((attempt) => attempt.resumed_rows);
  };
  const keptRows = async (app: App, { id }: Pick<TestJob, 'id'>): Promise<number> => {
    const statement = 'SELECT row_count FROM inference_checkpoints WHERE job_id = $1';
    const rows = await app.sql<{ row_count: number }>(statement, [id]);
    return rows[0]?.row_count ?? 0;
  };
  const untilKept = (app: App, job: Pick<TestJob, 'id'>, rows: number) =>
    until(async () => (await keptRows(app, job)) === rows, { what: `a checkpoint behind ${rows} rows` });

  async function picturesOf(app: App, job: TestJob): Promise<unknown> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'checkpoints-'));
    try {
      await sdkOf(app, job.user).getJobArchive(job.id, path.join(folder, 'result.zip'));
      const text = (await readZip(path.join(folder, 'result.zip'))).get('result.json')?.toString() ?? '';
      return (JSON.parse(text) as { pictures: unknown }).pictures;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async function expectWhole(app: App, job: TestJob): Promise<void> {
    const result = await resultOf(app, job);
    expect(result.velocity).toEqual(ALL_VELOCITIES);
    expect(result.frames.map(({ frame }) => frame)).toEqual(ALL_ROWS.map(frameOf));
    expect(await picturesOf(app, job)).toEqual(ALL_PICTURES);
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'an empty staging folder' });
    expect(await keptRows(app, job)).toBe(0);
    expect((await storedFiles(app)).checkpoints).toEqual([]);
  }

  it('goes on behind its last checkpoint, with the rows and pictures of before, for one price', async () => {
    const runner = runnerOf([{ failure: { afterFrames: 8, error: crash } }]);
    const app = await start({ runner, settings: PRICED });
    const job = await buildJob(app, { parameters: FRAMES });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 2 });

    expect(runner.begun.map(({ resume }) => resume?.velocity)).toEqual([undefined, ALL_VELOCITIES.slice(0, 6)]);
    expect(await resumedRowsOf(app, job)).toEqual([0, 6]);
    expect((await attemptsOf(app, job.id)).map(({ outcome }) => outcome)).toEqual(['FAILED', 'COMPLETED']);
    await expectWhole(app, job);
    const { usage, warnings } = await resultOf(app, job);
    // One second of each attempt.
    expect(usage.gpuSeconds).toBe(2);
    expect(warnings).toEqual([]);
    expect(await bookingsOf(app, job.id)).toEqual(['inference-hold -2', 'inference-capture 0']);
  });

  it('shows its velocities without a gap, before the next attempt and after', async () => {
    const runner = runnerOf([{ failure: { afterFrames: 8, error: crash } }, { hangAfterFrames: 8 }]);
    const app = await start({ runner, settings: { JOB_BACKOFF: '3s' } });
    const job = await buildJob(app, { parameters: FRAMES });
    const sdk = sdkOf(app, job.user);
    await until(async () => (await jobRow(app, job.id)).status === 'PENDING' && runner.begun.length === 1, {
      what: 'the end of attempt 1',
    });
    const waiting = await sdk.getJobVelocity(job.id, { from: 2 });
    expect(waiting).toMatchObject({ status: 'PENDING', attempt: 1, resumedRows: 0, complete: false, nextRow: 6 });
    expect(waiting.rows.map(({ velocity }) => velocity)).toEqual(ALL_VELOCITIES.slice(2, 6));

    await until(async () => (await sdk.getJobVelocity(job.id)).rows.length === 8, { what: 'rows of attempt 2' });
    const running = await sdk.getJobVelocity(job.id, { from: 4 });
    expect(running).toMatchObject({ status: 'RUNNING', attempt: 2, resumedRows: 6, nextRow: 8 });
    expect(running.rows.map(({ frame }) => frame)).toEqual([4, 5, 6, 7].map(frameOf));
    expect(running.rows.map(({ velocity }) => velocity)).toEqual(ALL_VELOCITIES.slice(4, 8));
    await sdk.cancelJob(job.id);
    await jobEnd(app, job);
  });

  it('goes on with another worker when its own shuts down', async () => {
    const runner = runnerOf([{ hangAfterFrames: 7 }]);
    const app = await start({ parts: ['http', 'scheduler'] });
    const first = await start({ parts: ['worker'], beside: app, runner });
    const job = await buildJob(app, { parameters: FRAMES });
    await untilKept(app, job, 6);
    await first.stop();
    const next = runnerOf([]);
    await start({ parts: ['worker'], beside: app, runner: next });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(next.begun.map(({ resume }) => resume?.velocity.length)).toEqual([6]);
    await expectWhole(app, job);
  });

  it('begins anew, and says so, where the next runner computes differently', async () => {
    const app = await start({ parts: ['http', 'scheduler'] });
    const first = await start({ parts: ['worker'], beside: app, runner: runnerOf([{ hangAfterFrames: 7 }], 'old') });
    const job = await buildJob(app, { parameters: FRAMES });
    await untilKept(app, job, 6);
    await first.stop();
    const next = runnerOf([], 'new');
    await start({ parts: ['worker'], beside: app, runner: next });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(next.begun.map(({ resume }) => resume)).toEqual([undefined]);
    expect(await resumedRowsOf(app, job)).toEqual([0, 0]);
    await expectWhole(app, job);
    expect((await resultOf(app, job)).warnings).toEqual([expect.stringContaining('begun anew')]);
  });

  it.each([
    ['the state of the runner is damaged', `UPDATE inference_checkpoints SET state = 'nonsense'`],
    [
      'a file of pictures is missing',
      `UPDATE inference_checkpoint_pieces SET pictures_key = 'checkpoints/gone.zip' WHERE first_row = 0`,
    ],
  ])('begins anew, at no cost, when %s', async (_, damage) => {
    const runner = runnerOf([{ hangAfterFrames: 7 }]);
    const app = await start({ runner, settings: { ...PRICED, JOB_MAX_ATTEMPTS: '2' } });
    const job = await buildJob(app, { parameters: FRAMES });
    await untilKept(app, job, 6);
    await app.sql(damage);
    runner.crash();
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 3 });
    expect(await attemptsOf(app, job.id)).toMatchObject([
      { outcome: 'FAILED' },
      { outcome: 'RELEASED', error_code: 'runner-checkpoint' },
      { outcome: 'COMPLETED' },
    ]);
    expect(await resumedRowsOf(app, job)).toEqual([0, 6, 0]);
    const { velocity, warnings } = await resultOf(app, job);
    expect(velocity).toEqual(ALL_VELOCITIES);
    expect(warnings).toEqual([expect.stringContaining('begun anew')]);
    expect(await keptRows(app, job)).toBe(0);
    expect(await bookingsOf(app, job.id)).toEqual(['inference-hold -2', 'inference-capture 0']);
  });

  it('goes on in the first job that repeats it after a cancellation, with its pictures', async () => {
    const runner = runnerOf([{ hangAfterFrames: 8 }]);
    const app = await start({ runner, settings: PRICED });
    const job = await buildJob(app, { parameters: FRAMES });
    const sdk = sdkOf(app, job.user);
    await untilKept(app, job, 6);
    await sdk.cancelJob(job.id);
    expect(await jobEnd(app, job)).toMatchObject({ status: 'ABORTED' });
    expect((await storedFiles(app)).checkpoints).toHaveLength(2);

    const [id] = (await sdk.retryJob(job.id)).jobId;
    const repeated = { ...job, id };
    expect(await jobEnd(app, repeated)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    expect(runner.begun.at(-1)?.resume?.velocity).toHaveLength(6);
    expect(await resumedRowsOf(app, repeated)).toEqual([6]);
    await expectWhole(app, repeated);
    expect(await bookingsOf(app, id)).toEqual(['inference-hold -2', 'inference-capture 0']);

    const [again] = (await sdk.retryJob(job.id)).jobId;
    expect(await jobEnd(app, { id: again })).toMatchObject({ status: 'COMPLETED' });
    expect(runner.begun.at(-1)?.resume).toBeUndefined();
    await expectWhole(app, { ...job, id: again });
  });

  it('shows what it came to after its cancellation, also when another job has taken that over', async () => {
    const runner = runnerOf([{ hangAfterFrames: 8 }]);
    const app = await start({ runner });
    const job = await buildJob(app, { parameters: FRAMES });
    const sdk = sdkOf(app, job.user);
    await untilKept(app, job, 6);
    await sdk.cancelJob(job.id);
    await jobEnd(app, job);
    const expectKept = async () => {
      const first = await sdk.getJobVelocity(job.id, { limit: 4 });
      expect(first).toMatchObject({ status: 'ABORTED', complete: false, total: TOTAL, nextRow: 4 });
      const rest = await sdk.getJobVelocity(job.id, { from: 4 });
      expect(rest.nextRow).toBeNull();
      const rows = [...first.rows, ...rest.rows];
      expect(rows.map(({ frame }) => frame)).toEqual([0, 1, 2, 3, 4, 5].map(frameOf));
      expect(rows.map(({ velocity }) => velocity)).toEqual(ALL_VELOCITIES.slice(0, 6));
    };
    await expectKept();

    const [id] = (await sdk.retryJob(job.id)).jobId;
    await expectKept();
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED' });
    expect(await resumedRowsOf(app, { ...job, id })).toEqual([6]);
    await expectKept();
    await sdk.retryJob(job.id);
    await expectKept();

    await app.sql(`UPDATE inference_jobs SET finished_at = now() - interval '25 h' WHERE id = $1`, [job.id]);
    await app.container.services.checkpointExpiry.removeExpired();
    expectProblem(await job.user.api.get(`/api/inference/${job.id}/velocity`), 'job-without-result');
    const leftover = await app.sql('SELECT 1 FROM inference_partial_rows WHERE job_id = $1', [job.id]);
    expect(leftover).toEqual([]);
  });

  it('is kept for a retry as long as the installation says, and then removed with its files', async () => {
    const runner = runnerOf([{ hangAfterFrames: 8 }]);
    const app = await start({ runner });
    const job = await buildJob(app, { parameters: FRAMES });
    await untilKept(app, job, 6);
    await sdkOf(app, job.user).cancelJob(job.id);
    await jobEnd(app, job);
    const { checkpointExpiry, sweep } = app.container.services;
    await checkpointExpiry.removeExpired();
    expect(await keptRows(app, job)).toBe(6);

    // What nothing refers to is the sweeper's when it is old; what a checkpoint refers to is not.
    const files = (await storedFiles(app)).checkpoints;
    expect(files).toHaveLength(2);
    await app.sql('UPDATE inference_checkpoint_pieces SET pictures_key = NULL WHERE first_row = 0');
    const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
    for (const file of files) {
      await utimes(path.join(app.config.dataDir, 'objects', 'checkpoints', file), yesterday, yesterday);
    }
    await sweep.sweep(new Date());
    expect((await storedFiles(app)).checkpoints).toEqual(files.filter((file) => file.endsWith('-3.zip')));

    await app.sql(`UPDATE inference_jobs SET finished_at = now() - interval '25 h' WHERE id = $1`, [job.id]);
    await checkpointExpiry.removeExpired();
    expect(await keptRows(app, job)).toBe(0);
    expect((await storedFiles(app)).checkpoints).toEqual([]);
    const [id] = (await sdkOf(app, job.user).retryJob(job.id)).jobId;
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED' });
  });

  it('completes where no checkpoint can be written, for want of the database or the disk', async () => {
    const runner = runnerOf([{ msPerFrame: 20 }, { msPerFrame: 20 }]);
    const app = await start({ runner });
    await app.sql('ALTER TABLE inference_checkpoints ADD CHECK (false) NOT VALID');
    const job = await buildJob(app, { parameters: FRAMES });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    await expectWhole(app, job);

    await app.sql('ALTER TABLE inference_checkpoints DROP CONSTRAINT inference_checkpoints_check');
    const next = await buildJob(app, { parameters: FRAMES });
    app.container.infrastructure.store.stage = () => Promise.reject(new Error('The disk is full'));
    expect(await jobEnd(app, next)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    await expectWhole(app, next);
  });

  it('is not told from checkpoints of an attempt that has lost its claim', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app, { parameters: FRAMES });
    const { repositories, uow } = app.container.infrastructure;
    const lost = await repositories.jobs.claim(job.id, 'gone', 1);
    if (lost === null) throw new Error('The job cannot be claimed');
    const checkpointOf = (firstRow: number, count: number) => ({
      firstRow,
      velocity: ALL_VELOCITIES.slice(firstRow, firstRow + count),
      frames: [],
      state: new Uint8Array(),
      runnerKey: 'script',
      picturesKey: null,
    });
    const add = (claim: typeof lost, firstRow: number, count: number) =>
      uow.run((scope) => scope.repositories.checkpoints.addIfClaimed(claim, checkpointOf(firstRow, count)));
    expect(await add(lost, 0, 3)).toBe(true);
    // Its answer was lost: it is written again.
    expect(await add(lost, 0, 3)).toBe(true);
    await expect(add(lost, 4, 2)).rejects.toThrow('does not follow');

    await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [job.id]);
    await app.container.services.recovery.recoverLost();
    expect(await add(lost, 3, 3)).toBe(false);
    const next = await repositories.jobs.claim(job.id, 'next', 60);
    if (next === null) throw new Error('The job cannot be claimed again');
    expect(await add(lost, 3, 3)).toBe(false);
    expect(await keptRows(app, job)).toBe(3);
    expect(await add(next, 3, 2)).toBe(true);
    const { rows } = await sdkOf(app, job.user).getJobVelocity(job.id);
    expect(rows.map(({ velocity }) => velocity)).toEqual(ALL_VELOCITIES.slice(0, 5));
  });
});
