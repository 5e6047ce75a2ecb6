import { utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { killHard } from '../support/server-process.js';
import { until } from '../support/wait.js';
import { ApiUser } from './support/api-user.js';
import { examineJob, expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';
import { submitLongJob, uploadScene } from './support/servo-scene.js';
import { SMALL_VIDEO, stalledUpload } from './support/uploads.js';

const SCENE = 'dev-a-translate-xy';
/** The long job has 60 frames. */
const PAID = { INFERENCE_FRAMES_PER_CREDIT: '20' };
const COST = 3;
const RETRIED = ['PENDING', 'RUNNING', 'PENDING', 'RUNNING', 'COMPLETED'];
const TEST_MS = 120_000;

describe('kill -9 of the engine', () => {
  it(
    'in the middle of a job: another attempt completes it, with one result and one charge',
    () =>
      withInstallation({ settings: PAID }, async (installation) => {
        const server = await installation.start();
        const user = await ApiUser.register(server.baseUrl);
        const scene = await uploadScene(user, SCENE);
        const jobId = await submitLongJob(user, scene);
        await user.untilUnderWay(jobId);
        killHard((await server.findChild('engine-process')).pid);

        expect((await user.result(jobId)).velocity).toHaveLength(60);
        const { attempts, statuses } = await examineJob(installation, user, jobId, { cost: COST });
        expect(attempts).toEqual(['FAILED', 'COMPLETED']);
        expect(statuses).toEqual(RETRIED);
        expect((await user.status(jobId)).attempt).toBe(2);
        expect(await installation.files('staging')).toEqual([]);
      }),
    TEST_MS,
  );
});

describe('kill -9 of a worker', () => {
  it(
    'in the middle of a job: its engine ends with it, and the other worker completes the job once',
    () =>
      withInstallation({ settings: PAID, database: 'shared' }, async (installation) => {
        const api = await installation.start('api');
        const [first, second] = await Promise.all([installation.start('worker'), installation.start('worker')]);
        const scheduler = await installation.start('scheduler');
        const user = await ApiUser.register(api.baseUrl);
        const scene = await uploadScene(user, SCENE);
        const jobId = await submitLongJob(user, scene);
        await user.untilUnderWay(jobId);
        const [{ worker }] = await installation.query<{ worker: string }>('SELECT worker FROM inference_attempts');
        const victim = worker.endsWith(`:${first.pid}`) ? first : second;
        const children = (await victim.tree()).map(({ pid }) => pid).filter((pid) => pid !== victim.pid);
        expect(children.length).toBeGreaterThan(0);
        await victim.kill();
        await until(async () => (await installation.processes()).every(({ pid }) => !children.includes(pid)), {
          what: 'the children of the killed worker are gone',
        });

        expect((await user.result(jobId)).velocity).toHaveLength(60);
        const { attempts, statuses } = await examineJob(installation, user, jobId, { cost: COST });
        expect(attempts).toEqual(['LOST', 'COMPLETED']);
        expect(statuses).toEqual(RETRIED);

        // What the dead worker was writing may be anybody's for a day; then the scheduler takes it away.
        const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
        for (const file of await installation.files('staging')) {
          await utimes(path.join(installation.dataDir, file), yesterday, yesterday);
        }
        await scheduler.stop();
        await installation.start('scheduler');
        await until(async () => (await installation.files('staging')).length === 0, { what: 'staging is swept' });
      }),
    TEST_MS,
  );
});

describe('kill -9 of everything', () => {
  it.each([
    { what: 'the whole tree, database included', kill: 'killTree' as const },
    { what: 'the main process only', kill: 'kill' as const },
  ])(
    '$what, in the middle of a job: the next start completes it with all data there',
    ({ kill }) =>
      withInstallation({ settings: PAID, database: 'embedded' }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const scene = await uploadScene(user, SCENE);
        const jobId = await submitLongJob(user, scene);
        const credits = await user.credits();
        await user.untilUnderWay(jobId);
        await first[kill]();
        await installation.expectNoProcesses();

        user.baseUrl = (await installation.start()).baseUrl;
        expect(await user.credits()).toBe(credits);
        expect(await user.videosOf(scene.datasetId)).toHaveLength(2);
        expect((await user.result(jobId)).velocity).toHaveLength(60);
        const { attempts, statuses } = await examineJob(installation, user, jobId, { cost: COST });
        expect(attempts).toEqual(['LOST', 'COMPLETED']);
        expect(statuses).toEqual(RETRIED);
        expect(await installation.files('staging')).toEqual([]);
      }),
    TEST_MS,
  );

  it(
    'in the middle of an upload: the next start has nothing of it, and nothing was charged',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const datasetId = await user.createDataset();
        const credits = await user.credits();
        const upload = stalledUpload(user, datasetId);
        await until(async () => (await installation.files('staging')).length === 1, {
          what: 'the upload is coming in',
        });
        await first.killTree();
        await expect(upload.outcome).rejects.toThrow();
        await installation.expectNoProcesses();

        user.baseUrl = (await installation.start()).baseUrl;
        expect(await installation.files('staging')).toEqual([]);
        expect(await installation.files('objects')).toEqual([]);
        expect(await user.credits()).toBe(credits);
        expect(await user.videosOf(datasetId)).toEqual([]);
        await user.upload(datasetId, SMALL_VIDEO);
        await expectBalancedLedger(installation);
      }),
    TEST_MS,
  );
});
