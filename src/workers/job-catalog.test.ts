import { randomUUID } from 'node:crypto';
import type { JobState } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { QueueBackend, QueuedJob } from '../platform/queue/queue-backend.port.js';
import { JOB_CATALOG, parsePayload, type JobKind } from './job-catalog.js';
import { JobClient } from './job-client.js';

/** Keeps what is added, as it would lie in a queue: as JSON. */
function recordingBackend(state: JobState | 'unknown' = 'unknown'): {
  backend: QueueBackend;
  queued: { queue: string; job: QueuedJob }[];
} {
  const queued: { queue: string; job: QueuedJob }[] = [];
  const backend: QueueBackend = {
    createQueue: (queue) =>
      Promise.resolve({
        add: (jobs) => {
          queued.push(...jobs.map((job) => ({ queue, job: JSON.parse(JSON.stringify(job)) as QueuedJob })));
          return Promise.resolve();
        },
        stateOf: () => Promise.resolve(state),
        close: () => Promise.resolve(),
      }),
    createWorker: () => ({
      close: () => Promise.resolve(),
      setConcurrency: () => undefined,
      disconnect: () => undefined,
    }),
    queues: [],
    withinTransaction: null,
    close: () => Promise.resolve(),
  };
  return { backend, queued };
}

describe('the job catalogue', () => {
  const bell = { kind: 'run-inference', id: randomUUID(), round: 2, priority: 10, delayMs: 1500 } as const;

  it('reads on one side what is written on the other', async () => {
    const { backend, queued } = recordingBackend();
    const client = await JobClient.open(backend, silentLogger);
    await client.ringAfterCommit([bell]);
    const [{ queue, job }] = queued;
    expect(queue).toBe(JOB_CATALOG['run-inference'].queue);
    expect(parsePayload(job.name as JobKind, job.data)).toEqual({ inferenceId: bell.id });
  });

  it('makes bells of one round the same entry, the most urgent first, late where they are to be late', async () => {
    const { backend, queued } = recordingBackend();
    const client = await JobClient.open(backend, silentLogger);
    await client.ringAfterCommit([bell, bell, { ...bell, round: 3, priority: 1 }]);
    const entries = queued.map(({ job }) => job.opts);
    expect(entries[0].jobId).toBe(entries[1].jobId);
    expect(entries[2].jobId).not.toBe(entries[0].jobId);
    expect(entries.map(({ priority }) => priority)).toEqual([1, 1, 10]);
    expect(entries[0]).toMatchObject({ delay: 1500, removeOnComplete: true, removeOnFail: true });
  });

  it.each([
    ['active', 1],
    ['delayed', 1],
    ['prioritized', 0],
    ['waiting', 0],
  ] as const)('rings again beside a bell that is %s: %i bells', async (state, count) => {
    const { backend, queued } = recordingBackend(state);
    const client = await JobClient.open(backend, silentLogger);
    await client.ringAfterCommit([{ ...bell, delayMs: 0, again: true }]);
    expect(queued).toHaveLength(count);
    expect(queued.map(({ job }) => job.opts.jobId)).not.toContain(`${bell.id}.${bell.round}`);
  });

  it('rings the same bell again when it is lost', async () => {
    const { backend, queued } = recordingBackend('unknown');
    const client = await JobClient.open(backend, silentLogger);
    await client.ringAfterCommit([{ ...bell, delayMs: 0, again: true }]);
    expect(queued[0].job.opts.jobId).toBe(`${bell.id}.${bell.round}`);
  });

  it('does not fail what is committed already when the queue takes nothing', async () => {
    const { backend } = recordingBackend();
    const failing: QueueBackend = {
      ...backend,
      createQueue: () =>
        Promise.resolve({
          add: () => Promise.reject(new Error('away')),
          stateOf: () => Promise.reject(new Error('away')),
          close: () => Promise.resolve(),
        }),
    };
    const client = await JobClient.open(failing, silentLogger);
    await expect(client.ringAfterCommit([bell])).resolves.toBeUndefined();
  });

  it.each([{}, { inferenceId: 'x' }, { id: randomUUID() }, null, 'text'])('refuses the payload %j', (payload) => {
    expect(() => parsePayload('run-inference', payload)).toThrow();
  });
});
