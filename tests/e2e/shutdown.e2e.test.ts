import { describe, expect, it } from 'vitest';
import { until } from '../support/wait.js';
import { ApiUser } from './support/api-user.js';
import { EventFollower } from './support/event-follower.js';
import { examineJob, expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';
import { parametersOf, submitLongJob, uploadScene } from './support/servo-scene.js';
import { stalledUpload } from './support/uploads.js';

const SCENE = 'dev-a-translate-xy';
const PAID = { INFERENCE_FRAMES_PER_CREDIT: '20' };
const TEST_MS = 120_000;
/** RFC 6455 section 7.4.1: the endpoint goes away. */
const GOING_AWAY = 1001;

describe('SIGTERM', () => {
  it(
    'D2.8 during a long job: the job is given back, the end is orderly, and the next start completes it',
    () =>
      withInstallation({ settings: { ...PAID, SHUTDOWN_TIMEOUT: '6s' } }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const scene = await uploadScene(user, SCENE);
        // It takes longer than the third of the time that running jobs get to end by themselves.
        const jobId = await submitLongJob(user, scene);
        await user.untilUnderWay(jobId);
        const begun = performance.now();
        await first.stop();
        expect(performance.now() - begun).toBeLessThan(6_000);
        await installation.expectNoProcesses();
        expect(await installation.files('staging')).toEqual([]);

        user.baseUrl = (await installation.start()).baseUrl;
        expect((await user.result(jobId)).velocity).toHaveLength(60);
        const { attempts, statuses } = await examineJob(installation, user, jobId, { cost: 3 });
        expect(attempts).toEqual(['RELEASED', 'COMPLETED']);
        expect(statuses).toEqual(['PENDING', 'RUNNING', 'PENDING', 'RUNNING', 'COMPLETED']);
      }),
    TEST_MS,
  );

  it(
    'during a short job: the job gets to its end first',
    () =>
      withInstallation({ settings: { ...PAID, SHUTDOWN_TIMEOUT: '60s' } }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const scene = await uploadScene(user, SCENE);
        const [jobId] = await user.submit(scene.datasetId, parametersOf(scene, { detector: 'ORB', frameStep: 2 }));
        await until(async () => (await user.status(jobId)).status === 'RUNNING', { what: 'the job runs' });
        await first.stop();

        user.baseUrl = (await installation.start()).baseUrl;
        expect((await user.status(jobId)).status).toBe('COMPLETED');
        const { attempts } = await examineJob(installation, user, jobId, { cost: 2 });
        expect(attempts).toEqual(['COMPLETED']);
      }),
    TEST_MS,
  );

  it(
    'with open sockets and an upload that goes on: sockets are told, the upload is completed',
    () =>
      withInstallation({}, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const datasetId = await user.createDataset();
        const follower = new EventFollower(first.baseUrl, user.token);
        await follower.connect();
        const upload = stalledUpload(user, datasetId);
        await until(async () => (await installation.files('staging')).length === 1, {
          what: 'the upload is coming in',
        });

        const stopped = first.stop();
        await until(() => follower.closedWith.length === 1, { what: 'the socket is closed' });
        expect(follower.closedWith).toEqual([GOING_AWAY]);
        upload.resume();
        expect((await upload.outcome).status).toBe(201);
        await stopped;
        await expect(fetch(`${first.baseUrl}/api/health`)).rejects.toThrow();

        user.baseUrl = (await installation.start()).baseUrl;
        expect(await user.videosOf(datasetId)).toHaveLength(1);
        expect(await user.credits()).toBe(99);
        await expectBalancedLedger(installation);
      }),
    TEST_MS,
  );

  it(
    'with an upload that does not move: it is cut off in time, and nothing of it is left or charged',
    () =>
      withInstallation({ settings: { SHUTDOWN_TIMEOUT: '6s' } }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const datasetId = await user.createDataset();
        const upload = stalledUpload(user, datasetId);
        await until(async () => (await installation.files('staging')).length === 1, {
          what: 'the upload is coming in',
        });

        await first.stop();
        await expect(upload.outcome).rejects.toThrow();
        expect(await installation.files('staging')).toEqual([]);
        expect(await installation.files('objects')).toEqual([]);
        user.baseUrl = (await installation.start()).baseUrl;
        expect(await user.credits()).toBe(100);
        expect(await user.videosOf(datasetId)).toEqual([]);
      }),
    TEST_MS,
  );
});
