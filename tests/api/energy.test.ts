import { afterEach, describe, expect, it } from 'vitest';
import type { EnergyReport, RunUsage } from '../../src/runners/runner.port.js';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, type TestJob } from '../support/build.js';
import { claimAndFallSilent, jobEnd, jobRow } from '../support/jobs.js';
import { createScriptedRunner, type Script } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

const report: EnergyReport = { method: 'measured', cpuWh: 1, gpuWh: 2, memoryWh: null, source: 'NVML, RAPL' };
/** 360 s × 10 W = 1 Wh. */
const USED: Partial<RunUsage> = { wallSeconds: 60, cpuSeconds: 360 };
const FRAMES = { startFrame: 0, endFrame: 9, frameStep: 1 };
const crash = new RunnerCrashedError('The process died.');

describe('the energy of a job', () => {
  const apps: App[] = [];
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.stop();
  });
  async function start(attempts: readonly Script[], settings: Record<string, string> = {}): Promise<App> {
    const runner = createScriptedRunner({
      behaviour: ({ attempt }) => ({ usage: USED, ...attempts[attempt - 1] }),
    });
    const app = await startApp({ runner, settings });
    apps.push(app);
    return app;
  }
  const sdkOf = (app: App, { user }: TestJob) => createClient({ baseUrl: app.baseUrl, token: user.token });
  const daysOf = (app: App, { user }: TestJob) =>
    app.sql<Record<string, unknown>>('SELECT * FROM usage_days WHERE user_id = $1', [user.id]);

  it('is estimated where nobody measures, and says by what and at which intensity', async () => {
    const app = await start([], { CARBON_REGION: 'fra' });
    const job = await buildJob(app, { parameters: FRAMES });
    expect((await jobEnd(app, job)).status).toBe('COMPLETED');
    const { results } = await sdkOf(app, job).getJobResult(job.id);
    expect(results).toMatchObject({ energy_wh: 1, carbon_method: 'estimated', carbon_intensity: 56 });
    expect(results.carbon_footprint).toBeCloseTo(0.056, 12);
    expect(results.carbon).toEqual({
      energy_wh: 1,
      parts: { cpu_wh: 1, gpu_wh: null, memory_wh: null },
      method: 'estimated',
      source: 'processor time × 10 W per core',
      intensity: { grams_per_kwh: 56, region: 'FR', year: 2023, source: expect.stringContaining('Ember') as string },
      reported_grams: null,
    });
  });

  it('is what the runner has measured; what a server claims stands beside it', async () => {
    const app = await start([{ usage: { ...USED, energy: report, reportedCarbonGrams: 12 } }], {
      CARBON_INTENSITY: '100',
    });
    const job = await buildJob(app, { parameters: FRAMES });
    await jobEnd(app, job);
    const { results } = await sdkOf(app, job).getJobResult(job.id);
    expect(results.carbon).toMatchObject({
      energy_wh: 3,
      method: 'measured',
      parts: { cpu_wh: 1, gpu_wh: 2, memory_wh: null },
      source: 'NVML, RAPL',
      intensity: { grams_per_kwh: 100, region: null, year: null },
      reported_grams: 12,
    });
    expect(results.carbon_footprint).toBeCloseTo(0.3, 12);
  });

  it('is that of all attempts, and counts on the day once for each', async () => {
    const app = await start([{ failure: { afterFrames: 5, error: crash } }, { usage: { ...USED, energy: report } }], {
      INFERENCE_FRAMES_PER_CREDIT: '5',
    });
    const job = await buildJob(app, { parameters: FRAMES });
    expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    const sdk = sdkOf(app, job);
    const { results } = await sdk.getJobResult(job.id);
    expect(results).toMatchObject({ energy_wh: 4, carbon_method: 'estimated', usage: { cpuSeconds: 720 } });
    expect(results.carbon).toMatchObject({
      parts: { cpu_wh: 2, gpu_wh: 2 },
      source: 'processor time × 10 W per core; NVML, RAPL',
    });
    const view = (await sdk.getJob(job.id)).job;
    expect(view.energy_wh).toBe(4);
    expect(view.attempts.map(({ energy_wh }) => energy_wh)).toEqual([1, 3]);
    expect(view.attempts[0].carbon_footprint).toBeCloseTo(0.481, 12);
    expect(await daysOf(app, job)).toEqual([
      expect.objectContaining({
        ...{ jobs: 1, attempts: 2, frames: '10', credits: '2' },
        ...{ wall_seconds: 120, cpu_seconds: 720, gpu_seconds: 0, energy_wh: 4 },
      }),
    ]);
  });

  it('counts without a result, too: of a failed job, a cancelled one, and one whose worker fell silent', async () => {
    const app = await start([{ failure: { afterFrames: 5, error: crash } }], { JOB_MAX_ATTEMPTS: '1' });
    const failed = await buildJob(app, { parameters: FRAMES });
    expect((await jobEnd(app, failed)).status).toBe('FAILED');
    expect((await sdkOf(app, failed).getJob(failed.id)).job).toMatchObject({ energy_wh: 1 });
    expect(await daysOf(app, failed)).toMatchObject([
      { jobs: 0, attempts: 1, frames: '0', credits: '0', energy_wh: 1 },
    ]);

    const hanging = await start([{ hangAfterFrames: 3 }]);
    const cancelled = await buildJob(hanging, { parameters: FRAMES });
    const sdk = sdkOf(hanging, cancelled);
    await until(async () => (await sdk.getJobVelocity(cancelled.id)).rows.length === 3, { what: 'three frames' });
    await sdk.cancelJob(cancelled.id);
    expect((await jobEnd(hanging, cancelled)).status).toBe('ABORTED');
    expect((await sdk.getJob(cancelled.id)).job).toMatchObject({ energy_wh: 1, attempts: [{ energy_wh: 1 }] });

    const idle = await startApp({ parts: ['http'] });
    apps.push(idle);
    const lost = await buildJob(idle, { parameters: FRAMES });
    await claimAndFallSilent(idle, lost.id);
    await idle.sql('UPDATE inference_attempts SET footprint = $2::jsonb WHERE job_id = $1', [
      lost.id,
      JSON.stringify({
        consumption: { wallSeconds: 5, cpuSeconds: 4, gpuSeconds: 0 },
        energy: { totalWh: 0.5, parts: { cpuWh: 0.5, gpuWh: null, memoryWh: null }, method: 'measured', source: 'x' },
        carbonGrams: 0.25,
        reportedGrams: null,
      }),
    ]);
    await idle.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [lost.id]);
    await idle.container.services.recovery.recoverLost();
    expect((await jobRow(idle, lost.id)).status).toBe('PENDING');
    expect((await sdkOf(idle, lost).getJob(lost.id)).job).toMatchObject({ energy_wh: 0.5, carbon_footprint: 0.25 });
    expect(await daysOf(idle, lost)).toMatchObject([{ attempts: 1, wall_seconds: 5, energy_wh: 0.5 }]);
  });

  it('is not known where nobody said anything before the end', async () => {
    const app = await startApp({ parts: ['http'] });
    apps.push(app);
    const job = await buildJob(app, { parameters: FRAMES });
    await claimAndFallSilent(app, job.id);
    await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [job.id]);
    await app.container.services.recovery.recoverLost();
    const view = (await sdkOf(app, job).getJob(job.id)).job;
    expect(view).toMatchObject({ energy_wh: null, carbon_footprint: null, attempts: [{ energy_wh: null }] });
    expect(await daysOf(app, job)).toMatchObject([{ attempts: 1, energy_wh: 0 }]);
  });
});
