import type { Logger } from '../platform/logging/logger.js';
import type { JobWorker, QueueBackend } from '../platform/queue/queue-backend.port.js';
import { JOB_CATALOG, parsePayload, type JobHandlers, type JobKind } from './job-catalog.js';

interface Deps {
  backend: QueueBackend;
  handlers: JobHandlers;
  concurrency: number;
  /** How long running jobs may go on after a shutdown began, before they are given back. */
  drainMs: number;
  logger: Logger;
}

/** Takes jobs from the queues and hands them to their handlers. */
export class WorkerHost {
  private workers: JobWorker[] = [];
  private readonly shutdown = new AbortController();

  constructor(private readonly deps: Deps) {}

  start(): void {
    const kinds = Object.keys(JOB_CATALOG) as JobKind[];
    this.workers = kinds.map((kind) =>
      this.deps.backend.createWorker(JOB_CATALOG[kind].queue, (job) => this.handle(kind, job.data), {
        concurrency: this.deps.concurrency,
      }),
    );
  }

  /** Takes nothing new, lets running jobs end for a while, then has them given back. */
  async stop(): Promise<void> {
    const giveBack = setTimeout(() => this.shutdown.abort(new Error('shutting down')), this.deps.drainMs);
    try {
      await Promise.all(this.workers.map((worker) => worker.close()));
    } finally {
      clearTimeout(giveBack);
    }
  }

  private async handle(kind: JobKind, data: unknown): Promise<void> {
    const payload = parsePayload(kind, data);
    try {
      await this.deps.handlers[kind](payload, this.shutdown.signal);
    } catch (error) {
      // The row was left as it was: its lease runs out, and the reconciler goes on from there.
      this.deps.logger.warn('A handler could not write the end of its work', { kind, payload, error });
      throw error;
    }
  }
}
