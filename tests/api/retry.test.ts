import { afterEach, describe, expect, it } from 'vitest';
import { RunnerInputError } from '../../src/runners/runner.errors.js';
import { createClient, type Client } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, PARAMETERS, type TestJob, type TestUser } from '../support/build.js';
import { bookingsOf, jobEnd } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5', UPLOAD_FRAMES_PER_CREDIT: '0' };

describe('repeating a job', () => {
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

  const sdkOf = (app: App, { token }: TestUser): Client => createClient({ baseUrl: app.baseUrl, token });
  const retry = ({ id, user }: Pick<TestJob, 'id' | 'user'>, headers: Record<string, string> = {}) =>
    user.api.request<{ jobId: string[] }>('POST', `/api/inference/${id}/retry`, { headers });

  it('makes a new job of a failed one: same work, linked both ways, paid like any other', async () => {
    const failure = { afterFrames: 0, error: new RunnerInputError('Not today.') };
    const runner = createScriptedRunner({ behaviour: ({ jobId }) => (jobId === first.id ? { failure } : {}) });
    const app = await start({ settings: PRICED, runner });
    const video = await buildVideo(app);
    const body = {
      datasetId: video.datasetId,
      range: 'all',
      priority: 7,
      timeout: 60,
      parameters: { ...PARAMETERS, detector: 'ORB' as const, visualize: 'none' as const },
    };
    const startDeadline = new Date(Date.now() + 3_600_000).toISOString();
    const sdk = sdkOf(app, video.user);
    const first = { id: '' };
    [first.id] = (await sdk.submitInference({ ...body, startDeadline })).jobId;
    await jobEnd(app, first);

    const { status, body: answer, headers } = await retry({ ...first, user: video.user });
    const [id] = answer.jobId;
    expect([status, headers.get('location')]).toEqual([202, `/api/inference/status/${id}`]);
    await jobEnd(app, { id });
    const { job } = await sdk.getJob(id);
    const { job: old } = await sdk.getJob(first.id);
    expect(job).toMatchObject({ retry_of: first.id, priority: 7, timeout: 60, start_deadline: null, cost: 1 });
    expect([job.parameters, job.goal_video, job.dataset]).toEqual([old.parameters, old.goal_video, old.dataset]);
    expect(old.retried_by).toEqual([id]);
    expect(await bookingsOf(app, id)).toMatchObject(['inference-hold -1', expect.stringMatching(/capture|release/)]);
  });

  it('is possible however the job has ended, and not before', async () => {
    const app = await start({ settings: PRICED });
    const completed = await buildJob(app);
    await jobEnd(app, completed);
    expect((await retry(completed)).status).toBe(202);

    const held = await start({ parts: ['http'], settings: PRICED });
    const job = await buildJob(held);
    expectProblem(await retry(job), 'job-not-final');
    await job.user.api.post(`/api/inference/${job.id}/cancel`);
    const [again] = (await retry(job)).body.jobId;
    expectProblem(await retry({ ...job, id: again }), 'job-not-final');
  });

  it('happens once for one Idempotency-Key, on whichever server it arrives', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const twin = await start({ parts: ['http'], beside: app, settings: PRICED });
    const job = await buildJob(app);
    await job.user.api.post(`/api/inference/${job.id}/cancel`);
    const headers = { 'Idempotency-Key': crypto.randomUUID() };
    const there = { ...job, user: { ...job.user, api: twin.client(job.user.token) } };
    const answers = await Promise.all([retry(job, headers), retry(there, headers), retry(job, headers)]);
    const ids = answers.filter(({ status }) => status === 202).map(({ body }) => body.jobId[0]);
    expect(new Set(ids).size).toBe(1);
    for (const { status } of answers) expect([202, 409]).toContain(status);
    expect((await retry(there, headers)).body.jobId).toEqual([ids[0]]);
    expect((await sdkOf(app, job.user).getJob(job.id)).job.retried_by).toEqual([ids[0]]);
  });

  it('is refused without credits, without inputs, and to others', async () => {
    const app = await start({ settings: PRICED });
    const job = await buildJob(app, { video: await buildVideo(app, { user: await buildUser(app, { credits: 1 }) }) });
    await jobEnd(app, job);
    expectProblem(await retry(job), 'insufficient-credits');
    expectProblem(await retry({ ...job, user: await buildUser(app) }), 'not-found');
    expectProblem(await retry({ ...job, id: crypto.randomUUID() }), 'not-found');

    const rich = await buildJob(app);
    await jobEnd(app, rich);
    await sdkOf(app, rich.user).deleteDataset(rich.datasetId);
    expectProblem(await retry(rich), 'job-inputs-gone');
  });
});
