import { afterEach, describe, expect, it } from 'vitest';
import { JOB_CATALOG } from '../../src/workers/job-catalog.js';
import { loseQueue, startApp, type App } from '../support/app.js';
import { buildJob } from '../support/build.js';
import { jobEnd, jobRow } from '../support/jobs.js';
import { until } from '../support/wait.js';

const { queue: QUEUE } = JOB_CATALOG['run-inference'];
/** Shorter than BullMQ takes to find a dead worker by itself. */
const SOON_MS = 25_000;

describe('bells that do not ring', () => {
  const apps: App[] = [];
  const cleanUps: (() => Promise<void>)[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp();
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  it('do not block a job whose worker took the bell and nothing more', async () => {
    const app = await start({ parts: ['http'] });
    let taken = false;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const takeAndHold = (): Promise<void> => {
      taken = true;
      return held;
    };
    const stuck = app.container.infrastructure.queue.createWorker(QUEUE, takeAndHold, { concurrency: 1 });
    cleanUps.push(() => {
      letGo();
      return stuck.close();
    });
    const { id } = await buildJob(app);
    await until(() => taken, { what: 'the bell in the hands of the stuck worker' });
    await start({ parts: ['worker', 'scheduler'], beside: app });
    expect(await jobEnd(app, { id }, SOON_MS)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
  });

  it('do not block a job whose bell is late by the clock of whoever rang it', async () => {
    const app = await start({ parts: ['http'] });
    const { id } = await buildJob(app);
    await loseQueue(app);
    const late = await app.container.infrastructure.queue.createQueue(QUEUE);
    cleanUps.push(() => late.close());
    await late.add([
      { name: 'run-inference', data: { inferenceId: id }, opts: { jobId: `${id}.0`, priority: 6, delay: 3_600_000 } },
    ]);
    await start({ parts: ['worker', 'scheduler'], beside: app });
    expect(await jobEnd(app, { id }, SOON_MS)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
  });

  it('are not rung beside those that wait for their turn', async () => {
    const app = await start({ parts: ['http'] });
    const { id } = await buildJob(app);
    await app.sql(`UPDATE inference_jobs SET available_at = now() - interval '1 minute' WHERE id = $1`, [id]);
    const { queue } = app.container.infrastructure;
    for (let turn = 0; turn < 3; turn++) await app.container.services.recovery.ringAgain();
    const heard: unknown[] = [];
    const listener = queue.createWorker(QUEUE, ({ data }) => Promise.resolve(void heard.push(data)), {
      concurrency: 1,
    });
    cleanUps.push(() => listener.close());
    await until(() => heard.length > 0);
    await listener.close();
    expect(heard).toEqual([{ inferenceId: id }]);
    expect(await jobRow(app, id)).toMatchObject({ status: 'PENDING' });
  });
});
