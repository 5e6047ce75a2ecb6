import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildJob } from '../support/build.js';
import { jobRow } from '../support/jobs.js';
import { until } from '../support/wait.js';

/** Far below the minutes that waiting for Redis would take, far above what is seen. */
const SOON_MS = 15_000;

/** A port on which nobody answers. */
async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a Redis that is away from the start', () => {
  let app: App | undefined;
  afterEach(() => app?.stop());

  it('keeps nobody waiting: jobs are taken in, lost ones are taken back, the shutdown is short', async () => {
    app = await startApp({
      settings: { REDIS_URL: `redis://127.0.0.1:${await deadPort()}`, QUEUE_PREFIX: 'away' },
    });
    const began = performance.now();
    const { id } = await buildJob(app);
    expect(performance.now() - began).toBeLessThan(SOON_MS);
    expect(await jobRow(app, id)).toMatchObject({ status: 'PENDING' });

    const { jobs } = app.container.infrastructure.repositories;
    expect(await jobs.claim(id, 'gone', 1)).not.toBeNull();
    await until(async () => (await jobRow(app as App, id)).status === 'PENDING', { what: 'the job taken back' });

    const stoppedAt = performance.now();
    await app.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(SOON_MS);
  });
});
