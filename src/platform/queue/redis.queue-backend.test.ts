import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { WorkerHost } from '../../workers/worker-host.js';
import { RedisQueueBackend } from './redis.queue-backend.js';

/** Several times what is promised: the machine may be busy. */
const SOON_MS = 10_000;

/** A port on which nobody answers. */
async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('RedisQueueBackend without Redis', () => {
  let backend: RedisQueueBackend;
  let startedAt: number;
  beforeEach(async () => {
    backend = new RedisQueueBackend({
      url: `redis://127.0.0.1:${await deadPort()}`,
      prefix: 'test',
      logger: silentLogger,
    });
    startedAt = performance.now();
  });
  afterEach(async () => {
    await backend.close();
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
  });

  it('opens, refuses jobs at once, and closes', async () => {
    const queue = await backend.createQueue('inference');
    const openedAt = performance.now();
    await expect(queue.add([{ name: 'x', data: {}, opts: {} }])).rejects.toThrow('not connected');
    await expect(queue.stateOf('x')).rejects.toThrow('not connected');
    expect(performance.now() - openedAt).toBeLessThan(4_000);
    await queue.close();
  });

  it('lets a worker stop soon', async () => {
    const host = new WorkerHost({
      backend,
      handlers: { 'run-inference': () => Promise.resolve(), 'deliver-webhook': () => Promise.resolve() },
      concurrency: 2,
      capacity: () => Promise.resolve(2),
      drainMs: 1_000,
      logger: silentLogger,
    });
    await host.start();
    await host.stop();
  });
});
