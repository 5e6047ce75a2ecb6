import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, type TestJob } from '../support/build.js';
import { bookingsOf, jobEnd } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { storedFiles } from '../support/stored-files.js';

const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };

describe('a result and its end', () => {
  let app: App;
  const start = async (settings: Record<string, string> = {}): Promise<void> => {
    app = await startApp({ settings: { ...PRICED, ...settings } });
  };
  afterEach(async () => {
    await expectLedgersToBalance(app);
    await app.stop();
  });

  async function completed(): Promise<TestJob> {
    const job = await buildJob(app);
    await jobEnd(app, job);
    return job;
  }

  const remove = ({ id, user }: TestJob) => user.api.delete(`/api/inference/result/${id}`);
  const readsOf = ({ id, user }: TestJob) =>
    Promise.all([`json/${id}`, `zip/${id}`].map((path) => user.api.get(`/api/inference/result/${path}`)));
  const jobOf = async ({ id, user }: TestJob) =>
    (await createClient({ baseUrl: app.baseUrl, token: user.token }).getJob(id)).job;

  /** As if its time had passed. */
  const expire = ({ id }: TestJob) =>
    app.sql(`UPDATE results SET expires_at = now() - interval '1 s' WHERE job_id = $1`, [id]);

  async function expectGone(job: TestJob, because: 'deleted' | 'expired'): Promise<void> {
    for (const answer of await readsOf(job)) {
      expectProblem(answer, 'result-gone');
      expect(JSON.stringify(answer.body)).toContain(because);
    }
    expectProblem(await remove(job), 'result-gone');
    expect(await jobOf(job)).toMatchObject({ status: 'COMPLETED', settlement: 'captured', result: { gone: because } });
    expect(await bookingsOf(app, job.id)).toEqual(['inference-hold -1', 'inference-capture 0']);
  }

  it('stays until its owner deletes it, when nothing else is set', async () => {
    await start();
    const job = await completed();
    const [json] = await readsOf(job);
    expect(json.body).toMatchObject({ results: { requestId: job.id }, expires_at: null });
    expect(await jobOf(job)).toMatchObject({ result: { expires_at: null, gone: null } });
    await app.container.services.resultExpiry.removeExpired();
    expect((await readsOf(job)).map(({ status }) => status)).toEqual([200, 200]);

    expect(await remove(job)).toMatchObject({ status: 200, body: { message: 'Result deleted successfully' } });
    expect((await storedFiles(app)).results).toEqual([]);
    await expectGone(job, 'deleted');
  });

  it('is deleted once, though many ask at once', async () => {
    await start();
    const job = await completed();
    const statuses = (await Promise.all(Array.from({ length: 8 }, () => remove(job)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, ...Array<number>(7).fill(410)]);
  });

  it('leaves a file that could not be removed to the sweeper', async () => {
    await start();
    const job = await completed();
    const { store, repositories } = app.container.infrastructure;
    const { delete: deleteFile } = store;
    store.delete = () => Promise.reject(new Error('the disk is away'));
    // Asked of this very process, whose disk it is.
    const here = new ApiClient(() => app.baseUrl, job.user.token);
    expect((await here.delete(`/api/inference/result/${job.id}`)).status).toBe(200);
    store.delete = deleteFile;
    const [{ archive_key: key }] = await app.sql<{ archive_key: string }>('SELECT archive_key FROM results');
    expect((await storedFiles(app)).results).toHaveLength(1);
    expect(await repositories.results.knownArchiveKeys([key])).toEqual(new Set());
    await app.container.services.sweep.sweep(new Date(Date.now() + 48 * 3600 * 1000));
    expect((await storedFiles(app)).results).toEqual([]);
  });

  it('says when it expires, and is gone from that moment on, also before it is cleaned away', async () => {
    await start({ RESULT_RETENTION: '30d' });
    const job = await completed();
    const [{ body }] = await readsOf(job);
    const { result, finished_at: finishedAt } = await jobOf(job);
    expect(body).toMatchObject({ expires_at: result?.expires_at });
    const keptDays = (Date.parse(result?.expires_at ?? '') - Date.parse(finishedAt ?? '')) / 86_400_000;
    expect(keptDays).toBeCloseTo(30, 3);
    await expire(job);
    await expectGone(job, 'expired');
    expect((await storedFiles(app)).results).toHaveLength(1);
  });

  it('is cleaned away when its time is over, by one of two cleaners, and no other result with it', async () => {
    await start({ RESULT_RETENTION: '30d' });
    const twin = await startApp({ parts: ['scheduler'], beside: app, settings: PRICED });
    try {
      const kept = await completed();
      const jobs = [await completed(), await completed(), await completed()];
      for (const job of jobs) await expire(job);
      await Promise.all([app, twin].map(({ container }) => container.services.resultExpiry.removeExpired()));
      expect((await storedFiles(app)).results).toHaveLength(1);
      for (const job of jobs) await expectGone(job, 'expired');
      expect((await readsOf(kept)).map(({ status }) => status)).toEqual([200, 200]);
      const payloads = await app.sql('SELECT 1 FROM results WHERE payload IS NOT NULL');
      expect(payloads).toHaveLength(1);
    } finally {
      await twin.stop();
    }
  });

  it('cannot be deleted before it is there, by others, or when there was none', async () => {
    app = await startApp({ runner: createScriptedRunner({ behaviour: { hangAfterFrames: 0 } }) });
    const job = await buildJob(app);
    expectProblem(await remove(job), 'result-not-ready');
    expectProblem(await remove({ ...job, user: await buildUser(app) }), 'not-found');
    expectProblem(await remove({ ...job, id: crypto.randomUUID() }), 'not-found');
    await job.user.api.post(`/api/inference/${job.id}/cancel`);
    await jobEnd(app, job);
    expectProblem(await remove(job), 'job-without-result');
  });
});
