import { afterEach, describe, expect, it } from 'vitest';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { createClient, type Client } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, type TestUser } from '../support/build.js';
import { jobEnd, jobRow } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

const FRAMES = { startFrame: 2, endFrame: 20, frameStep: 2 };
const TOTAL = 10;
const velocityOf = (frame: number) => [0.01 * frame, 0, 0, 0, 0, 0.001 * frame];
const rowsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => {
    const frame = FRAMES.startFrame + (from + index) * FRAMES.frameStep;
    return { frame, velocity: velocityOf(frame) };
  });

describe('velocities while a job runs', () => {
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
  const pieces = (app: App) => app.sql('SELECT 1 FROM inference_partial_rows');

  it('are there before the result, from any row on, and go when their owner cancels', async () => {
    const app = await start({ parts: ['http'] });
    const runner = createScriptedRunner({ behaviour: { hangAfterFrames: 6 } });
    const job = await buildJob(app, { parameters: FRAMES });
    const sdk = sdkOf(app, job.user);
    expect(await sdk.getJobVelocity(job.id)).toEqual({
      ...{ status: 'PENDING', attempt: 0, resumedRows: 0, complete: false, total: TOTAL },
      ...{ rows: [], nextRow: 0 },
    });
    await start({ parts: ['worker'], beside: app, runner });
    await until(async () => (await sdk.getJobVelocity(job.id)).rows.length === 6, { what: 'six rows' });
    const running = { status: 'RUNNING', attempt: 1, resumedRows: 0, complete: false, total: TOTAL };
    expect(await sdk.getJobVelocity(job.id)).toEqual({ ...running, rows: rowsOf(0, 6), nextRow: 6 });
    expect(await sdk.getJobVelocity(job.id, { from: 4 })).toMatchObject({ rows: rowsOf(4, 6), nextRow: 6 });
    expect(await sdk.getJobVelocity(job.id, { from: 1, limit: 2 })).toMatchObject({ rows: rowsOf(1, 3), nextRow: 3 });
    expect(await sdk.getJobVelocity(job.id, { from: 9 })).toMatchObject({ rows: [], nextRow: 9 });

    await sdk.cancelJob(job.id);
    await jobEnd(app, job);
    expectProblem(await job.user.api.get(`/api/inference/${job.id}/velocity`), 'job-without-result');
    expect(await pieces(app)).toEqual([]);
  });

  it('have no gap where a piece was written without its writer hearing of it, and more rows followed', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app, { parameters: FRAMES });
    const { jobs } = app.container.infrastructure.repositories;
    const claim = await jobs.claim(job.id, 'a worker', 60);
    if (claim === null) throw new Error('The job was not to be had');
    const piece = (from: number, to: number) => rowsOf(from, to).map(({ velocity }) => velocity);
    await jobs.addPartialRows(claim, 0, piece(0, 2));
    await jobs.addPartialRows(claim, 0, piece(0, 4));
    await jobs.addPartialRows(claim, 4, piece(4, 6));
    expect((await sdkOf(app, job.user).getJobVelocity(job.id)).rows).toEqual(rowsOf(0, 6));
  });

  it('are those of the result once it is there, until it is deleted', async () => {
    const app = await start({ runner: createScriptedRunner({ behaviour: { msPerFrame: 200 } }) });
    const job = await buildJob(app, { parameters: FRAMES });
    const sdk = sdkOf(app, job.user);
    await until(async () => (await sdk.getJobVelocity(job.id)).rows.length > 0, { what: 'the first rows' });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
    const completed = { status: 'COMPLETED', attempt: 1, resumedRows: 0, complete: true, total: TOTAL };
    expect(await sdk.getJobVelocity(job.id)).toEqual({ ...completed, rows: rowsOf(0, TOTAL), nextRow: null });
    const page = { ...completed, rows: rowsOf(3, 7), nextRow: 7 };
    expect(await sdk.getJobVelocity(job.id, { from: 3, limit: 4 })).toEqual(page);
    expect(await sdk.getJobVelocity(job.id, { from: 8 })).toMatchObject({ rows: rowsOf(8, TOTAL), nextRow: null });
    expect(await sdk.getJobVelocity(job.id, { from: 500 })).toMatchObject({ rows: [], nextRow: null });
    const { results } = await sdk.getJobResult(job.id);
    expect(results.velocity).toEqual(rowsOf(0, TOTAL).map(({ velocity }) => velocity));
    expect(await pieces(app)).toEqual([]);
    await sdk.deleteJobResult(job.id);
    expectProblem(await job.user.api.get(`/api/inference/${job.id}/velocity`), 'result-gone');
  });

  it('start over with a new attempt, and a lost one adds nothing more', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app, { parameters: FRAMES });
    const { jobs } = app.container.infrastructure.repositories;
    const lost = await jobs.claim(job.id, 'gone', 1);
    if (lost === null) throw new Error('The job cannot be claimed');
    const sdk = sdkOf(app, job.user);
    await jobs.addPartialRows(lost, 0, [velocityOf(2), velocityOf(4)]);
    // Its answer was lost: it is written again.
    await jobs.addPartialRows(lost, 0, [velocityOf(2), velocityOf(4)]);
    await jobs.addPartialRows(lost, 3, [velocityOf(8)]);
    expect(await sdk.getJobVelocity(job.id)).toMatchObject({ rows: rowsOf(0, 2), nextRow: 2 });

    await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [job.id]);
    await app.container.services.recovery.recoverLost();
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'PENDING' });
    expect(await pieces(app)).toEqual([]);
    await jobs.addPartialRows(lost, 2, [velocityOf(6)]);
    expect(await pieces(app)).toEqual([]);
    const next = await jobs.claim(job.id, 'next', 60);
    await jobs.addPartialRows(lost, 2, [velocityOf(6)]);
    expect(next?.job.attempt).toBe(2);
    expect(await sdk.getJobVelocity(job.id)).toMatchObject({ status: 'RUNNING', attempt: 2, rows: [], nextRow: 0 });
  });

  it('go with an attempt that fails', async () => {
    const failure = { afterFrames: 5, error: new RunnerCrashedError('The engine died.') };
    const runner = createScriptedRunner({ behaviour: { failure, msPerFrame: 300 } });
    const app = await start({ runner, settings: { JOB_MAX_ATTEMPTS: '1' } });
    const job = await buildJob(app, { parameters: FRAMES });
    await until(async () => (await pieces(app)).length > 0, { what: 'a piece' });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'FAILED' });
    expect(await pieces(app)).toEqual([]);
  });

  it('are for their owner only, and asked for by numbers', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app);
    const path = `/api/inference/${job.id}/velocity`;
    expectProblem(await (await buildUser(app)).api.get(path), 'not-found');
    expectProblem(await job.user.api.get(`/api/inference/${crypto.randomUUID()}/velocity`), 'not-found');
    for (const [field, query] of Object.entries({ from: '-1', limit: '0' })) {
      expectProblem(await job.user.api.get(`${path}?${field}=${query}`), 'validation-failed', field);
    }
    expectProblem(await job.user.api.get(`${path}?limit=1001`), 'validation-failed', 'limit');
    expectProblem(await job.user.api.get(`${path}?from=a`), 'validation-failed', 'from');
  });
});
