import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, PARAMETERS, type TestVideo } from '../support/build.js';
import { deafRunner, Gate } from '../support/deaf.runner.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

interface Submitted {
  jobId: string[];
  jobs?: { id: string; status: string }[];
}

describe('Prefer: wait', () => {
  const apps: App[] = [];
  const start = async (options: Parameters<typeof startApp>[0] = {}): Promise<App> => {
    const app = await startApp({ ...options, alone: true });
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  const submit = ({ user, datasetId }: TestVideo, prefer: string, extra: Record<string, string> = {}) =>
    user.api.request<Submitted>('POST', '/api/inference', {
      json: { datasetId, range: 'all', parameters: PARAMETERS },
      headers: { Prefer: prefer, ...extra },
    });
  const waitersOf = (app: App): number => app.container.services.jobWaiter.waitingCount;

  it('answers a submission when all of its jobs have ended, in other processes too', async () => {
    const app = await start({ parts: ['http'] });
    await start({ parts: ['worker'], beside: app });
    const video = await buildVideo(app);
    await buildVideo(app, video);
    await buildVideo(app, video);
    const { status, body, headers } = await submit(video, 'respond-async, wait=30');
    expect([status, headers.get('preference-applied')]).toEqual([202, 'wait=30']);
    expect(body.jobs).toEqual(body.jobId.map((id) => ({ id, status: 'COMPLETED' })));
    expect(body.jobId).toHaveLength(2);
    expect(waitersOf(app)).toBe(0);
  });

  it('answers when the time is over, with where the jobs stand', async () => {
    const app = await start({ parts: ['http'] });
    const { status, body, headers } = await submit(await buildVideo(app), 'wait=1');
    expect([status, headers.get('preference-applied')]).toEqual([202, 'wait=1']);
    expect(body.jobs).toEqual([{ id: body.jobId[0], status: 'PENDING' }]);
  });

  it('keeps whoever asks for a status waiting until the job has ended', async () => {
    const gate = new Gate();
    const runner = deafRunner(createScriptedRunner({ behaviour: {} }), [gate]);
    const app = await start({ parts: ['http'] });
    await start({ parts: ['worker'], beside: app, runner });
    const job = await buildJob(app);
    const sdk = createClient({ baseUrl: app.baseUrl, token: job.user.token });
    const answers = Promise.all([sdk.getJobStatus(job.id, { wait: 50 }), sdk.getJob(job.id, { wait: 50 })]);
    await until(() => waitersOf(app) === 2 && gate.waiting);
    gate.open();
    expect(await answers).toMatchObject([{ status: 'COMPLETED' }, { job: { status: 'COMPLETED' } }]);
  });

  it('waits for nobody who has gone, and not for what has ended', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app);
    const leaving = new AbortController();
    const options = { headers: { Prefer: 'wait=60' }, signal: leaving.signal };
    const answer = job.user.api.request('GET', `/api/inference/status/${job.id}`, options);
    await until(() => waitersOf(app) === 1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await until(() => waitersOf(app) === 0);

    await job.user.api.post(`/api/inference/${job.id}/cancel`);
    const ended = await job.user.api.get(`/api/inference/${job.id}`, { headers: { Prefer: 'wait=9999' } });
    expect([ended.status, ended.headers.get('preference-applied')]).toEqual([200, 'wait=60']);
  });

  it('ends with the server', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app);
    const headers = { Prefer: 'wait=60' };
    const answer = job.user.api.get(`/api/inference/status/${job.id}`, { headers });
    await until(() => waitersOf(app) === 1);
    await app.stop();
    expect(await answer).toMatchObject({ status: 200, body: { status: 'PENDING' } });
  });

  it('has a bound for one user, beyond which answers come at once', async () => {
    const app = await start({ parts: ['http'] });
    const job = await buildJob(app);
    const waiter = app.container.services.jobWaiter;
    const leaving = Array.from({ length: 50 }, () => new AbortController());
    const waiting = leaving.map(({ signal }) => waiter.untilEnded(job.user.id, [job.id], { seconds: 60, signal }));
    const refused = await job.user.api.get(`/api/inference/${job.id}`, { headers: { Prefer: 'wait=60' } });
    expect([refused.status, refused.headers.get('preference-applied')]).toEqual([200, null]);
    for (const client of leaving) client.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
    expect(waitersOf(app)).toBe(0);
  });

  it('passes over what it does not understand', async () => {
    const app = await start({ parts: ['http'] });
    const video = await buildVideo(app);
    for (const prefer of ['', 'wait', 'wait=soon', 'wait=-1', 'return=minimal', 'wait=1e3', 'wait=1.5']) {
      const { status, body, headers } = await submit(video, prefer);
      expect([status, headers.get('preference-applied'), body.jobs], prefer).toEqual([202, null, undefined]);
    }
  });

  it('does not wait for jobs of others, and repeats an answer without waiting again', async () => {
    const app = await start({});
    const job = await buildJob(app);
    const other = await buildUser(app);
    const headers = { Prefer: 'wait=60' };
    expectProblem(await other.api.get(`/api/inference/status/${job.id}`, { headers }), 'not-found');
    const key = { 'Idempotency-Key': crypto.randomUUID() };
    const video = { id: '', user: job.user, datasetId: job.datasetId };
    const first = await submit(video, 'wait=60', key);
    const again = await submit(video, 'wait=60', key);
    expect(again.body).toEqual({ jobId: first.body.jobId });
    await jobEnd(app, { id: first.body.jobId[0] });
  });
});
