import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { QueueBackend, QueuedJob } from '../platform/queue/queue-backend.port.js';
import { JOB_CATALOG, parsePayload, type JobKind } from './job-catalog.js';
import { JobClient } from './job-client.js';

/** Keeps what is added, as it would lie in a queue: as JSON. */
function recordingBackend(): { backend: QueueBackend; queued: { queue: string; job: QueuedJob }[] } {
  const queued: { queue: string; job: QueuedJob }[] = [];
  const backend: QueueBackend = {
    createQueue: (queue) =>
      Promise.resolve({
        add: (jobs) => {
          queued.push(...jobs.map((job) => ({ queue, job: JSON.parse(JSON.stringify(job)) as QueuedJob })));
          return Promise.resolve();
        },
        close: () => Promise.resolve(),
      }),
    createWorker: () => ({ close: () => Promise.resolve() }),
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

  it('does not fail what is committed already when the queue takes nothing', async () => {
    const { backend } = recordingBackend();
    const failing: QueueBackend = {
      ...backend,
      createQueue: () =>
        Promise.resolve({ add: () => Promise.reject(new Error('away')), close: () => Promise.resolve() }),
    };
    const client = await JobClient.open(failing, silentLogger);
    await expect(client.ringAfterCommit([bell])).resolves.toBeUndefined();
  });

  it.each([{}, { inferenceId: 'x' }, { id: randomUUID() }, null, 'text'])('refuses the payload %j', (payload) => {
    expect(() => parsePayload('run-inference', payload)).toThrow();
  });
});
