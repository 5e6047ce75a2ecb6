import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildVideo, PARAMETERS, type TestJob, type TestVideo } from '../support/build.js';
import { attemptsOf, bookingsOf, jobEnd, jobRow, statusesOf } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };
const PAID_BACK = ['inference-hold -1', 'inference-release 1'];
const never = new AbortController().signal;

describe('the limits that an owner sets', () => {
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

  async function submit(app: App, limits: Record<string, unknown>, video?: TestVideo) {
    const { user, datasetId } = video ?? (await buildVideo(app));
    const body = { datasetId, range: 'all', parameters: PARAMETERS, ...limits };
    const answer = await user.api.post<{ jobId: string[] }>('/api/inference', body);
    return { answer, job: { id: answer.status === 202 ? answer.body.jobId[0] : '', user, datasetId } };
  }
  const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
  const missStart = (app: App, { id }: TestJob) =>
    app.sql(`UPDATE inference_jobs SET start_deadline = now() - interval '1 s' WHERE id = $1`, [id]);

  it('shows them, and changes nothing for a job that keeps within them', async () => {
    const app = await start({ settings: PRICED });
    const startDeadline = inAnHour();
    const { job } = await submit(app, { startDeadline, timeout: 600 });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
    const { job: shown } = await createClient({ baseUrl: app.baseUrl, token: job.user.token }).getJob(job.id);
    expect(shown).toMatchObject({ start_deadline: startDeadline, timeout: 600 });
  });

  it('aborts a job that has not started by its deadline, once, though two schedulers look', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const { job } = await submit(app, { startDeadline: inAnHour() });
    await missStart(app, job);
    await start({ parts: ['scheduler'], beside: app, settings: PRICED });
    await start({ parts: ['scheduler'], beside: app, settings: PRICED });
    expect(await jobEnd(app, job)).toMatchObject({
      status: 'ABORTED',
      error_code: 'start-deadline-missed',
      cancel_requested_at: null,
    });
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'ABORTED']);
    expect(await bookingsOf(app, job.id)).toEqual(PAID_BACK);
  });

  it('starts no job after its deadline, also before a scheduler has looked', async () => {
    const runner = createScriptedRunner({ behaviour: {} });
    const app = await start({ parts: ['http'], settings: PRICED, runner });
    const { job } = await submit(app, { startDeadline: inAnHour() });
    await missStart(app, job);
    await app.container.services.execution.execute(job.id, never);
    expect(runner.begun).toEqual([]);
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'PENDING', attempt: 0 });
    await Promise.all([
      app.container.services.recovery.abortUnstarted(),
      app.container.services.execution.execute(job.id, never),
      app.container.services.recovery.abortUnstarted(),
    ]);
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'ABORTED', attempt: 0 });
  });

  it('lets a job that has started in time be repeated after its start deadline', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const { job } = await submit(app, { startDeadline: inAnHour() });
    const { jobs } = app.container.infrastructure.repositories;
    expect(await jobs.claim(job.id, 'gone', 1)).not.toBeNull();
    await missStart(app, job);
    await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [job.id]);
    await app.container.services.recovery.recoverLost();
    await app.container.services.recovery.abortUnstarted();
    await app.container.services.execution.execute(job.id, never);
    expect(await jobRow(app, job.id)).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  });

  it('aborts a job that takes longer than its timeout, without another attempt', async () => {
    const app = await start({ settings: PRICED, runner: createScriptedRunner({ behaviour: { hangAfterFrames: 1 } }) });
    const { job } = await submit(app, { timeout: 1 });
    const row = await jobEnd(app, job);
    expect(row).toMatchObject({ status: 'ABORTED', attempt: 1, error_code: 'timeout' });
    expect(row.stopped_at).not.toBeNull();
    expect(await attemptsOf(app, job.id)).toEqual([{ number: 1, outcome: 'ABORTED', error_code: 'timeout' }]);
    expect(await bookingsOf(app, job.id)).toEqual(PAID_BACK);
    expect(await statusesOf(app, job.id)).toEqual(['PENDING', 'RUNNING', 'ABORTED']);
  });

  it('refuses limits that make no sense, and charges nothing', async () => {
    const app = await start({ parts: ['http'], settings: { ...PRICED, JOB_TIMEOUT: '10m' } });
    const video = await buildVideo(app);
    for (const [field, limits] of [
      ['startDeadline', { startDeadline: new Date(Date.now() - 1000).toISOString() }],
      ['startDeadline', { startDeadline: 'tomorrow' }],
      ['startDeadline', { startDeadline: '2100-01-01T00:00:00' }],
      ['timeout', { timeout: 0 }],
      ['timeout', { timeout: 601 }],
      ['timeout', { timeout: 1.5 }],
    ] as const) {
      const { answer, job } = await submit(app, limits, video);
      expectProblem(answer, 'validation-failed', field);
      expect(await job.user.api.get('/api/inference')).toMatchObject({ body: { jobs: [] } });
    }
  });
});
