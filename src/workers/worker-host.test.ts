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
  async function hostOn(close: () => Promise<void>) {
    let process: JobProcessor = () => Promise.resolve();
    const worker = { close, setConcurrency: () => undefined, disconnect: vi.fn<JobWorker['disconnect']>() };
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
    const host = new WorkerHost({
      backend,
      handlers,
      concurrency: 1,
      capacity: () => Promise.resolve(1),
      drainMs: 10_000,
      logger: silentLogger,
    });
    await host.start();
    return { host, worker, take: () => process({ name: 'run-inference', data: { inferenceId: randomUUID() } }) };
  }

  it('leaves a queue that is away, but no job before its time is up', async () => {
    const { host, worker, take } = await hostOn(() => new Promise(() => undefined));
    const job = take();
    const stopping = host.stop();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(worker.disconnect).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3_500);
    await Promise.all([job, stopping]);
    expect(worker.disconnect).toHaveBeenCalled();
  });

  it('leaves no timer behind when all goes well', async () => {
    const { host, worker } = await hostOn(() => Promise.resolve());
    await host.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(worker.disconnect).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('WorkerHost.fit', () => {
  interface Hired {
    concurrency: number;
    isClosed: boolean;
  }

  /** A host whose capacity is set by the test, and the workers that it has hired for jobs. */
  async function hostWith(first: number) {
    const hired: Hired[] = [];
    const state = { capacity: first };
    const backend: QueueBackend = {
      createQueue: () => Promise.reject(new Error('not of this test')),
      createWorker: (name, _processor, { concurrency }) => {
        const member = { concurrency, isClosed: false };
        if (name === JOB_CATALOG['run-inference'].queue) hired.push(member);
        return {
          close: () => {
            member.isClosed = true;
            return Promise.resolve();
          },
          setConcurrency: (jobs) => (member.concurrency = jobs),
          disconnect: () => undefined,
        };
      },
      queues: [],
      withinTransaction: null,
      close: () => Promise.resolve(),
    };
    const host = new WorkerHost({
      backend,
      handlers: { 'run-inference': () => Promise.resolve(), 'deliver-webhook': () => Promise.resolve() },
      concurrency: null,
      capacity: () => Promise.resolve(state.capacity),
      drainMs: 0,
      logger: silentLogger,
    });
    await host.start();
    const working = () => hired.filter(({ isClosed }) => !isClosed).map(({ concurrency }) => concurrency);
    const fit = async (capacity: number) => {
      state.capacity = capacity;
      await host.fit();
      return working();
    };
    return { host, working, fit };
  }

  it('begins with as many jobs at a time as there is capacity for', async () => {
    const { host, working } = await hostWith(3);
    expect(working()).toEqual([3]);
    await host.stop();
  });

  it('grows by workers beside those that are full, a bounded number of them', async () => {
    const { host, fit } = await hostWith(1);
    expect(await fit(3)).toEqual([1, 2]);
    expect(await fit(3)).toEqual([1, 2]);
    expect(await fit(4)).toEqual([1, 2, 1]);
    expect(await fit(5)).toEqual([1, 2, 1, 1]);
    expect(await fit(9)).toEqual([1, 2, 1, 5]);
    await host.stop();
  });

  it('shrinks from the last one, and lets those go that have nothing left to do', async () => {
    const { host, fit } = await hostWith(2);
    await fit(5);
    expect(await fit(4)).toEqual([2, 2]);
    expect(await fit(1)).toEqual([1]);
    await host.stop();
    expect(await fit(7)).toEqual([]);
  });
});
