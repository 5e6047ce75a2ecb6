import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunnerCrashedError, RunnerInputError } from '../../src/runners/runner.errors.js';
import { createClient, type Client } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildJob, buildUser, buildVideo, PARAMETERS, type TestUser } from '../support/build.js';
import { claimAndFallSilent, jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const sdkOf = (app: App, { token }: TestUser): Client => createClient({ baseUrl: app.baseUrl, token });

describe('the list of jobs', () => {
  let app: App;
  let user: TestUser;
  let sdk: Client;
  const jobs: { id: string; datasetId: string; status: string }[] = [];
  const datasets: string[] = [];
  const STATUSES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'ABORTED'] as const;

  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { UPLOAD_FRAMES_PER_CREDIT: '0' } });
    user = await buildUser(app);
    sdk = sdkOf(app, user);
    for (const tags of [['street', 'night'], ['street'], []]) {
      const { id } = await buildDataset(app, { user, tags });
      const video = await buildVideo(app, { user, datasetId: id });
      datasets.push(id);
      for (const status of STATUSES) {
        const job = await buildJob(app, { video });
        const isFinal = !['PENDING', 'RUNNING'].includes(status);
        await app.sql(
          `UPDATE inference_jobs SET status = $2, finished_at = CASE WHEN $3 THEN now() END,
             claim_token = CASE WHEN $2 = 'RUNNING' THEN id END,
             lease_expires_at = CASE WHEN $2 = 'RUNNING' THEN now() + interval '1 hour' END
           WHERE id = $1`,
          [job.id, status, isFinal],
        );
        jobs.unshift({ id: job.id, datasetId: id, status });
      }
    }
    // Somebody else's, which never shows.
    await buildJob(app);
  });
  afterAll(() => app.stop());

  const idsOf = async (query: Parameters<Client['listJobs']>[0]) =>
    (await sdk.listJobs(query)).jobs.map(({ id }) => id);
  const expected = (wanted: (job: (typeof jobs)[number]) => boolean) => jobs.filter(wanted).map(({ id }) => id);

  it('has the newest first, all of them, and only the caller’s', async () => {
    expect(await idsOf({})).toEqual(expected(() => true));
    const [first] = (await sdk.listJobs()).jobs;
    expect(first).toMatchObject({
      id: jobs[0].id,
      status: 'ABORTED',
      dataset_id: datasets[2],
      cost: 0,
      retry_of: null,
    });
  });

  it.each([
    ['one status', { status: 'FAILED' as const }, (job) => job.status === 'FAILED'],
    [
      'several statuses',
      { status: ['PENDING', 'RUNNING', 'PENDING'] as ('PENDING' | 'RUNNING')[] },
      (job) => ['PENDING', 'RUNNING'].includes(job.status),
    ],
    ['a tag', { tag: 'street' }, (job) => job.datasetId !== datasets[2]],
    ['a tag and a status', { tag: 'night', status: 'RUNNING' as const }, (job) => job === jobs[13]],
    ['a tag that no dataset has', { tag: 'day' }, () => false],
  ] as [string, NonNullable<Parameters<Client['listJobs']>[0]>, (job: (typeof jobs)[number]) => boolean][])(
    'filters by %s',
    async (_name, query, wanted) => {
      expect(await idsOf(query)).toEqual(expected(wanted));
    },
  );

  it('filters by dataset, alone and with everything else', async () => {
    expect(await idsOf({ dataset: datasets[1] })).toEqual(expected((job) => job.datasetId === datasets[1]));
    const query = { dataset: datasets[1], status: 'COMPLETED' as const, tag: 'street' };
    expect(await idsOf(query)).toEqual([jobs[7].id]);
    expect(await idsOf({ ...query, tag: 'night' })).toEqual([]);
    const foreign = await buildDataset(app);
    expect(await idsOf({ dataset: foreign.id })).toEqual([]);
  });

  it('filters by time: from inclusive, to exclusive', async () => {
    const { jobs: all } = await sdk.listJobs();
    const middle = all[7].created_at;
    const before = new Date(Date.parse(middle) + 1).toISOString();
    const later = (await sdk.listJobs({ created_from: middle })).jobs;
    const earlier = (await sdk.listJobs({ created_to: middle })).jobs;
    expect([...later, ...earlier].map(({ id }) => id)).toEqual(jobs.map(({ id }) => id));
    expect(later.at(-1)?.id).toBe(all[7].id);
    expect((await sdk.listJobs({ created_from: middle, created_to: before })).jobs.map(({ id }) => id)).toContain(
      all[7].id,
    );
    expect(await idsOf({ created_from: '0000-01-01T00:00:00Z', created_to: '0001-01-01T00:00:00+02:00' })).toEqual([]);
  });

  it('pages through everything once, though jobs are added and move meanwhile', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    const added: string[] = [];
    do {
      const page = await sdk.listJobs({ limit: 4, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      if (added.length < 2) {
        const video = { id: '', datasetId: datasets[0], user };
        added.push((await buildJob(app, { video })).id);
      }
    } while (cursor !== undefined);
    expect(seen).toEqual(jobs.map(({ id }) => id));
    for (const id of added) jobs.unshift({ id, datasetId: datasets[0], status: 'PENDING' });
    expect(await idsOf({})).toEqual(jobs.map(({ id }) => id));
  });

  it('keeps the jobs of a deleted dataset', async () => {
    await sdk.deleteDataset(datasets[1]);
    expect(await idsOf({ dataset: datasets[1] })).toEqual(expected((job) => job.datasetId === datasets[1]));
    const { job } = await sdk.getJob(expected((job) => job.datasetId === datasets[1])[0]);
    expect(job.dataset).toMatchObject({ id: datasets[1], deleted: true });
  });

  it.each([
    ['status', 'status=DONE'],
    ['status', 'status=PENDING&status=x'],
    ['dataset', 'dataset=abc'],
    ['tag', 'tag='],
    ['created_from', 'created_from=yesterday'],
    ['created_to', 'created_to=2026-01-01T00:00:00'],
    ['limit', 'limit=201'],
    ['cursor', 'cursor=bm9wZQ'],
  ])('refuses a wrong %s', async (field, query) => {
    expectProblem(await user.api.get(`/api/inference?${query}`), 'validation-failed', field);
  });

  it('reads no table from end to end, whatever is asked for', async () => {
    const other = await buildDataset(app, { user, tags: ['many'] });
    const video = await buildVideo(app, { user, datasetId: other.id });
    const job = await buildJob(app, { video });
    await app.sql(
      `INSERT INTO inference_jobs (id, user_id, dataset_id, goal_video_id, current_video_id, status, parameters,
         created_at, finished_at)
       SELECT gen_random_uuid(), user_id, dataset_id, goal_video_id, current_video_id,
         CASE WHEN n % 50 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, parameters, created_at - n * interval '1 s', now()
       FROM inference_jobs, generate_series(1, 20000) AS n WHERE id = $1`,
      [job.id],
    );
    await app.sql('ANALYZE inference_jobs');
    await app.sql('ANALYZE datasets');
    const filters = [
      {},
      { status: 'ABORTED' as const },
      { status: ['FAILED', 'PENDING'] as ('FAILED' | 'PENDING')[] },
      { dataset: other.id },
      { dataset: datasets[0], status: 'FAILED' as const },
      { tag: 'many' },
      { tag: 'street', status: 'RUNNING' as const, created_from: '2020-01-01T00:00:00Z' },
      { created_to: '2027-01-01T00:00:00Z' },
      { model: 'cns' },
      { model: 'nobody@1', status: 'COMPLETED' as const },
      { model: 'cns', dataset: other.id },
    ];
    const plans = await plansOf(app, async () => {
      for (const filter of filters) await sdk.listJobs({ ...filter, limit: 10 });
      await sdk.getJob(job.id);
      await sdk.getJobStatus(job.id);
    });
    expect(plans.length).toBeGreaterThanOrEqual(filters.length + 2);
    expect(plans.filter((plan) => plan.includes('Seq Scan on inference_jobs'))).toEqual([]);
  });
});

/** Plans of every statement about jobs that the app runs during `work`. */
async function plansOf(app: App, work: () => Promise<void>): Promise<string[]> {
  // Sequelize keeps its options without declaring them.
  const { options } = app.container.infrastructure.sequelize as unknown as {
    options: { logging: (text: string, details: { bind?: unknown[] }) => void };
  };
  const before = options.logging;
  const statements: { text: string; bind: unknown[] }[] = [];
  options.logging = (text, { bind = [] }) => {
    if (text.includes('inference_jobs')) statements.push({ text: text.replace(/^Executing [^:]*: /, ''), bind });
  };
  try {
    await work();
  } finally {
    options.logging = before;
  }
  const explain = ({ text, bind }: (typeof statements)[number]) =>
    app.sql<Record<string, string>>(`EXPLAIN ${text}`, bind);
  const plans = await Promise.all(statements.map(explain));
  return plans.map((lines) => lines.flatMap((line) => Object.values<string>(line)).join('\n'));
}

describe('one job', () => {
  it('shows everything about a job that completed after failures', async () => {
    const crash = { failure: { afterFrames: 1, error: new RunnerCrashedError('The engine died.') } };
    const runner = createScriptedRunner({ behaviour: ({ attempt }) => (attempt === 1 ? crash : {}) });
    const app = await startApp({ runner, settings: { INFERENCE_FRAMES_PER_CREDIT: '5' } });
    try {
      const { id, user, datasetId } = await buildJob(app);
      await jobEnd(app, { id });
      const { job } = await sdkOf(app, user).getJob(id);
      expect(job).toMatchObject({
        id,
        status: 'COMPLETED',
        progress: { processed: 5, total: 5 },
        attempt: 2,
        cost: 1,
        settlement: 'captured',
        error: null,
        wait: null,
        retry_of: null,
        retried_by: [],
        dataset: { id: datasetId, deleted: false },
        goal_video: { name: 'a video' },
        parameters: { ...PARAMETERS, policy: 'ibvs' },
        carbon_footprint: expect.any(Number),
      });
      expect(Object.keys(job.parameters).slice(0, 2)).toEqual(['startFrame', 'endFrame']);
      expect(job.attempts).toMatchObject([
        { number: 1, outcome: 'FAILED', error: { code: 'runner-crashed', message: 'The engine died.' } },
        { number: 2, outcome: 'COMPLETED', error: null },
      ]);
      for (const attempt of job.attempts) {
        expect(Date.parse(attempt.finished_at ?? '')).toBeGreaterThanOrEqual(Date.parse(attempt.started_at));
      }
      expectProblem(await (await buildUser(app)).api.get(`/api/inference/${id}`), 'not-found');
      expectProblem(await user.api.get(`/api/inference/${crypto.randomUUID()}`), 'not-found');
      expectProblem(await user.api.get('/api/inference/1'), 'not-found');
    } finally {
      await app.stop();
    }
  });

  it('says why a job waits, and what became of its credits', async () => {
    const app = await startApp({ parts: ['http'], settings: { INFERENCE_FRAMES_PER_CREDIT: '5' } });
    try {
      const first = await buildJob(app);
      const second = await buildJob(app);
      const sdk = sdkOf(app, second.user);
      expect((await sdk.getJob(second.id)).job).toMatchObject({
        settlement: 'held',
        wait: { reason: 'queued', ahead: 1, until: null },
      });
      await app.sql('UPDATE inference_jobs SET priority = 9 WHERE id = $1', [second.id]);
      expect((await sdk.getJob(second.id)).job.wait).toMatchObject({ ahead: 0 });
      await app.sql(`UPDATE inference_jobs SET available_at = now() + interval '1 hour' WHERE id = $1`, [second.id]);
      expect((await sdk.getJob(second.id)).job.wait).toMatchObject({
        reason: 'between-attempts',
        ahead: null,
        until: expect.any(String),
      });
      await claimAndFallSilent(app, first.id);
      const { job: running } = await sdkOf(app, first.user).getJob(first.id);
      expect(running).toMatchObject({
        status: 'RUNNING',
        wait: null,
        attempts: [{ outcome: null, finished_at: null }],
      });
      await sdk.cancelJob(second.id);
      expect((await sdk.getJob(second.id)).job).toMatchObject({ settlement: 'released', error: { code: 'cancelled' } });
    } finally {
      await app.stop();
    }
  });

  it('shows why a job failed', async () => {
    const failure = { afterFrames: 0, error: new RunnerInputError('The goal frame is blank.') };
    const app = await startApp({ runner: createScriptedRunner({ behaviour: { failure } }) });
    try {
      const { id, user } = await buildJob(app);
      await jobEnd(app, { id });
      const error = { code: 'runner-input', message: 'The goal frame is blank.' };
      expect((await sdkOf(app, user).getJob(id)).job).toMatchObject({
        status: 'FAILED',
        settlement: 'free',
        error,
        attempts: [{ error }],
      });
    } finally {
      await app.stop();
    }
  });
});
