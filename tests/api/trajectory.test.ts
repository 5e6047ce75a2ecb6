import { afterEach, describe, expect, it } from 'vitest';
import { createClient, type Client } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, type TestJob } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

describe('the trajectory of a job', () => {
  const apps: App[] = [];
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.stop();
  });

  /** A job on frames 0, 2 and 4 whose camera drives along x at 1 m/s and turns about z at 0.5 rad/s. */
  async function startWithJob(hangAfterFrames = Infinity): Promise<{ app: App; job: TestJob; sdk: Client }> {
    const behaviour = { velocity: () => [1, 0, 0, 0, 0, 0.5], hangAfterFrames };
    const app = await startApp({ runner: createScriptedRunner({ behaviour }) });
    apps.push(app);
    const job = await buildJob(app, { parameters: { endFrame: 4, frameStep: 2 } });
    return { app, job, sdk: createClient({ baseUrl: app.baseUrl, token: job.user.token }) };
  }

  it('is what its velocities lead along, at the frame rate of the video or another', async () => {
    const { app, job, sdk } = await startWithJob();
    await jobEnd(app, job);
    const slow = await sdk.getJobTrajectory(job.id, { frameRate: 2 });
    expect(slow).toMatchObject({ frameRate: 2, frameRateFrom: 'request', total: 3, nextRow: null });
    expect(slow.points.map(({ frame, seconds }) => [frame, seconds])).toEqual([
      [0, 0],
      [2, 1],
      [4, 2],
    ]);
    // An arc of radius 2 m.
    const end = slow.points[2];
    expect(end.position[0]).toBeCloseTo(2 * Math.sin(1), 12);
    expect(end.position[1]).toBeCloseTo(2 - 2 * Math.cos(1), 12);
    expect(end.rotation[2]).toBeCloseTo(1, 12);
    expect(end.pathLength).toBeCloseTo(2, 12);

    const known = await sdk.getJobTrajectory(job.id);
    expect(known).toMatchObject({ frameRate: 25, frameRateFrom: 'video' });
    expect(known.points[1].seconds).toBeCloseTo(2 / 25, 12);
    await app.sql('UPDATE videos SET frame_rate = NULL');
    expect(await sdk.getJobTrajectory(job.id)).toMatchObject({ frameRate: 30, frameRateFrom: 'assumption' });

    const page = await sdk.getJobTrajectory(job.id, { frameRate: 2, from: 1, limit: 1 });
    expect(page).toMatchObject({ total: 3, points: [slow.points[1]], nextRow: 2 });
    expect(await sdk.getJobTrajectory(job.id, { from: 50 })).toMatchObject({ points: [], nextRow: null });
  });

  it('is for the owner of a job that has a result, and asked for by numbers', async () => {
    const { app, job, sdk } = await startWithJob(1);
    const path = `/api/inference/${job.id}/trajectory`;
    expectProblem(await job.user.api.get(path), 'result-not-ready');
    expectProblem(await (await buildUser(app)).api.get(path), 'not-found');
    for (const rate of ['0', '-3', 'fast', '1e9']) {
      expectProblem(await job.user.api.get(`${path}?frameRate=${rate}`), 'validation-failed', 'frameRate');
    }
    await sdk.cancelJob(job.id);
    await jobEnd(app, job);
    expectProblem(await job.user.api.get(path), 'job-without-result');
  });
});
