import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildVideo, type TestJob } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const JOBS = 24;
const SETTINGS = { INFERENCE_FRAMES_PER_CREDIT: '5', JOB_MAX_ATTEMPTS: '2', JOB_BACKOFF: '1s' };
const crash = new RunnerCrashedError('The process died.');

/** Every third job fails once, every fifth for good. */
const runner = () =>
  createScriptedRunner({
    behaviour: ({ parameters: { endFrame }, attempt }) => ({
      usage: { wallSeconds: 1, cpuSeconds: 360 },
      ...(endFrame % 5 === 0 || (endFrame % 3 === 0 && attempt === 1)
        ? { failure: { afterFrames: 1, error: crash } }
        : {}),
    }),
  });

describe('the usage of a day', () => {
  let app: App;
  let beside: App;
  beforeAll(async () => {
    app = await startApp({ runner: runner(), settings: SETTINGS });
    beside = await startApp({ parts: ['http', 'worker'], beside: app, runner: runner(), settings: SETTINGS });
  });
  afterAll(async () => {
    await beside.stop();
    await app.stop();
  });

  it('is the sum of what all attempts came to, although two workers end them at the same time', async () => {
    const video = await buildVideo(app);
    const jobs: TestJob[] = [];
    for (let number = 1; number <= JOBS; number++) {
      jobs.push(await buildJob(app, { video, parameters: { endFrame: (number % 20) + 1 } }));
    }
    const ends = await Promise.all(jobs.map((job) => jobEnd(app, job, 60_000)));
    const completed = ends.filter(({ status }) => status === 'COMPLETED').length;
    expect(completed).toBeGreaterThan(0);
    expect(completed).toBeLessThan(JOBS);

    // Two of them, when it is midnight meanwhile.
    const [day] = await app.sql<Record<string, unknown>>(
      `SELECT sum(jobs)::int AS jobs, sum(attempts)::int AS attempts, sum(frames)::int AS frames,
         sum(credits)::int AS credits, sum(energy_wh) AS energy_wh, sum(cpu_seconds) AS cpu_seconds,
         sum(carbon_grams) AS carbon_grams FROM usage_days`,
    );
    const [sums] = await app.sql<Record<string, unknown>>(
      `SELECT count(*)::int AS attempts, sum((footprint #>> '{energy,totalWh}')::float8) AS energy_wh,
         sum((footprint #>> '{consumption,cpuSeconds}')::float8) AS cpu_seconds,
         sum((footprint ->> 'carbonGrams')::float8) AS carbon_grams
       FROM inference_attempts WHERE outcome IS NOT NULL`,
    );
    const attempts = Number(sums['attempts']);
    expect(day).toMatchObject({ jobs: completed, attempts, energy_wh: attempts, cpu_seconds: 360 * attempts });
    expect(sums['energy_wh']).toBe(attempts);
    expect(Number(day['carbon_grams'])).toBeCloseTo(Number(sums['carbon_grams']), 9);
    const [ofJobs] = await app.sql<Record<string, unknown>>(
      `SELECT sum(energy_wh) AS energy_wh, sum(cost) FILTER (WHERE status = 'COMPLETED') AS credits,
         sum(progress_total) FILTER (WHERE status = 'COMPLETED') AS frames FROM inference_jobs`,
    );
    expect(ofJobs).toEqual({ energy_wh: attempts, credits: String(day['credits']), frames: String(day['frames']) });
  });
});
