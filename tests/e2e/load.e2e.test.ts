import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { until } from '../support/wait.js';
import { ApiUser, type JobParameters } from './support/api-user.js';
import { EventFollower } from './support/event-follower.js';
import { expectBalancedLedger, expectGapFree, transitionsOf } from './support/evidence.js';
import { withInstallation, type Installation } from './support/installation.js';

/** 3 frames of 160 x 120. */
const TINY_VIDEO = fileURLToPath(new URL('../fixtures/servo/tiny.mp4', import.meta.url));
const JOBS_PER_USER = 100;
const BUILD_MS = 180_000;
/** A machine that does nothing else takes a minute or two. */
const ALL_JOBS_MS = 540_000;
const TEST_MS = 600_000;

const SETTINGS = {
  ENGINE_PROCESSES: '2',
  // A credit for the upload and one for each job.
  SIGNUP_CREDITS: String(JOBS_PER_USER + 1),
  INFERENCE_FRAMES_PER_CREDIT: '1',
  // As it is by default: on a machine under full load, three seconds of silence are not the end of a worker.
  JOB_LEASE: '10s',
};

const PARAMETERS: JobParameters = {
  startFrame: 0,
  endFrame: 0,
  frameStep: 1,
  goalFrameId: 1,
  detector: 'ORB',
  useGpus: false,
  visualize: 'none',
};

// Four hundred decoder processes are started: from source that would take three times as long.
beforeAll(async () => {
  const script = fileURLToPath(new URL('../../scripts/ensure-ready.mjs', import.meta.url));
  await promisify(execFile)(process.execPath, [script, '--build']);
}, BUILD_MS);

it(
  'two users submit 200 jobs at once: all complete, and sockets that are cut twice miss and repeat nothing',
  () =>
    withInstallation({ settings: SETTINGS, built: true }, async (installation) => {
      const { baseUrl } = await installation.start();
      const users = await Promise.all([ApiUser.register(baseUrl), ApiUser.register(baseUrl)]);
      const crowds = await Promise.all(
        users.map(async (user) => {
          const datasetId = await user.createDataset();
          await user.upload(datasetId, TINY_VIDEO);
          const follower = new EventFollower(baseUrl, user.token);
          await follower.connect();
          return { user, datasetId, follower };
        }),
      );

      await Promise.all(
        crowds.map(async ({ user, datasetId, follower }) => {
          const submissions = Array.from({ length: JOBS_PER_USER }, () => user.submit(datasetId, PARAMETERS));
          const jobs = (await Promise.all(submissions)).flat();
          expect(await user.credits()).toBe(0);

          const completed = (): number => follower.events.filter(({ data }) => data.status === 'COMPLETED').length;
          for (const share of [jobs.length / 3, (2 * jobs.length) / 3]) {
            await until(() => completed() >= share, { deadline: ALL_JOBS_MS, what: `${share} jobs are COMPLETED` });
            await follower.reconnect();
          }
          await until(() => completed() >= jobs.length, { deadline: ALL_JOBS_MS, what: 'all jobs are COMPLETED' });
          expect(await repeatedAttempts(installation)).toEqual([]);
          expectGapFree(follower.events);
          for (const jobId of jobs) {
            expect(transitionsOf(follower.events, jobId)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
          }
          follower.cut();
        }),
      );
      await expectBalancedLedger(installation);
      expect(await installation.files('staging')).toEqual([]);
    }),
  TEST_MS,
);

/** Attempts that did not complete their job; each is a job that was worked on twice. */
function repeatedAttempts(installation: Installation): Promise<object[]> {
  return installation.query(
    `SELECT job_id, number, outcome, error_code, finished_at - started_at AS took FROM inference_attempts
     WHERE outcome IN ('FAILED', 'LOST', 'RELEASED')`,
  );
}
