import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { JobProcessor, JobWorker, QueueBackend } from '../platform/queue/queue-backend.port.js';
import { JOB_CATALOG } from './job-catalog.js';
import { WorkerHost } from './worker-host.js';

describe('WorkerHost.stop', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A host on a queue whose workers close as told. */
  function hostOn(close: () => Promise<void>) {
    let process: JobProcessor = () => Promise.resolve();
    const worker = { close, disconnect: vi.fn<JobWorker['disconnect']>() };
    const backend: QueueBackend = {
      createQueue: () => Promise.reject(new Error('not of this test')),
      createWorker: (name, processor) => {
        if (name === JOB_CATALOG['run-inference'].queue) process = processor;
        return worker;
      },
      queues: [],
      withinTransaction: null,
      close: () => Promise.resolve(),
    };
    const handlers = {
      'run-inference': (_payload: unknown, shutdown: AbortSignal) =>
        new Promise<void>((resolve) => shutdown.addEventListener('abort', () => resolve())),
      'deliver-webhook': () => Promise.resolve(),
    };
    const host = new WorkerHost({ backend, handlers, concurrency: 1, drainMs: 10_000, logger: silentLogger });
    host.start();
    return { host, worker, take: () => process({ name: 'run-inference', data: { inferenceId: randomUUID() } }) };
  }

  it('leaves a queue that is away, but no job before its time is up', async () => {
    const { host, worker, take } = hostOn(() => new Promise(() => undefined));
    const job = take();
    const stopping = host.stop();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(worker.disconnect).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3_500);
    await Promise.all([job, stopping]);
    expect(worker.disconnect).toHaveBeenCalled();
  });

  it('leaves no timer behind when all goes well', async () => {
    const { host, worker } = hostOn(() => Promise.resolve());
    await host.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(worker.disconnect).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
