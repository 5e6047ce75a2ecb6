import type { Logger } from '../platform/logging/logger.js';
import type { JobWorker, QueueBackend } from '../platform/queue/queue-backend.port.js';
import {
  JOB_CATALOG,
  parsePayload,
  type JobHandler,
  type JobHandlers,
  type JobKind,
  type JobKindDefinition,
} from './job-catalog.js';

interface Deps {
  backend: QueueBackend;
  handlers: JobHandlers;
  concurrency: number;
  /** How long running jobs may go on after a shutdown began, before they are given back. */
  drainMs: number;
  logger: Logger;
}

/** How long a queue has to hear of the end of its jobs once they have ended; one that is away never hears. */
const FAREWELL_MS = 2_000;

/** Takes jobs from the queues and hands them to their handlers. */
export class WorkerHost {
  private workers: JobWorker[] = [];
  private readonly shutdown = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly deps: Deps) {}

  start(): void {
    const kinds = Object.keys(JOB_CATALOG) as JobKind[];
    this.workers = kinds.map((kind) =>
      this.deps.backend.createWorker(JOB_CATALOG[kind].queue, (job) => this.handle(kind, job.data), {
        concurrency: concurrencyOf(kind) ?? this.deps.concurrency,
      }),
    );
  }

  /** Takes nothing new, lets running jobs end for a while, then has them given back. */
  async stop(): Promise<void> {
    const giveBack = setTimeout(() => this.shutdown.abort(new Error('shutting down')), this.deps.drainMs);
    const farewell = new AbortController();
    try {
      const closed = Promise.all(this.workers.map((worker) => worker.close())).then(() => true);
      const inTime = await Promise.race([closed, this.farewellOver(farewell.signal)]);
      if (inTime) return;
      this.deps.logger.warn('The queue does not hear that its jobs have ended; leaving it');
      for (const worker of this.workers) worker.disconnect();
    } finally {
      clearTimeout(giveBack);
      farewell.abort();
    }
  }

  /** @returns false, a while after the last job has ended; once called off, nobody waits for it */
  private async farewellOver(signal: AbortSignal): Promise<false> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
    if (signal.aborted) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), FAREWELL_MS);
      signal.addEventListener('abort', () => clearTimeout(timer));
    });
  }

  private handle(kind: JobKind, data: unknown): Promise<void> {
    const work = this.work(kind, data).finally(() => this.running.delete(work));
    this.running.add(work);
    return work;
  }

  private async work(kind: JobKind, data: unknown): Promise<void> {
    const payload = parsePayload(kind, data);
    try {
      // The payload has been parsed as one of this kind.
      const handler = this.deps.handlers[kind] as JobHandler<JobKind>;
      await handler(payload, this.shutdown.signal);
    } catch (error) {
      // The row was left as it was: its lease runs out, and the reconciler goes on from there.
      this.deps.logger.warn('A handler could not write the end of its work', { kind, payload, error });
      throw error;
    }
  }
}

const concurrencyOf = (kind: JobKind): number | undefined => (JOB_CATALOG[kind] as JobKindDefinition).concurrency;
