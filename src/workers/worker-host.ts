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
  /** Jobs at a time; null: as many as `capacity` says from time to time. */
  concurrency: number | null;
  capacity(): Promise<number>;
  /** How long running jobs may go on after a shutdown began, before they are given back. */
  drainMs: number;
  logger: Logger;
}

/** How long a queue has to hear of the end of its jobs once they have ended; one that is away never hears. */
const FAREWELL_MS = 2_000;

/** Each has connections of its own. */
const MOST_WORKERS_OF_A_KIND = 4;

interface CrewMember {
  kind: JobKind;
  worker: JobWorker;
  concurrency: number;
}

/** Takes jobs from the queues and hands them to their handlers. */
export class WorkerHost {
  private readonly crew: CrewMember[] = [];
  private readonly leaving = new Set<Promise<void>>();
  private isStopping = false;
  private readonly shutdown = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly deps: Deps) {}

  async start(): Promise<void> {
    const { concurrency, capacity } = this.deps;
    const jobsAtATime = concurrency ?? (await capacity());
    for (const kind of Object.keys(JOB_CATALOG) as JobKind[]) this.hire(kind, concurrencyOf(kind) ?? jobsAtATime);
  }

  /** Takes as many jobs at a time as there is capacity for now. */
  async fit(): Promise<void> {
    if (this.deps.concurrency !== null || this.isStopping) return;
    const wanted = await this.deps.capacity();
    // The shutdown may have come meanwhile.
    if (this.isStopping) return;
    for (const kind of new Set(this.crew.map((member) => member.kind))) {
      if (concurrencyOf(kind) === undefined) this.fitKind(kind, wanted);
    }
  }

  /**
   * BullMQ looks at the concurrency of a worker when one of its jobs ends: one whose jobs take long would not hear of more
   * for as long. So growth is another worker, as far as connections allow; the last one shrinks first.
   */
  private fitKind(kind: JobKind, wanted: number): void {
    const members = this.crew.filter((member) => member.kind === kind);
    let change = wanted - members.reduce((sum, { concurrency }) => sum + concurrency, 0);
    if (change > 0 && members.length < MOST_WORKERS_OF_A_KIND) this.hire(kind, change);
    else if (change > 0) this.setConcurrency(members[members.length - 1], change);
    for (const member of members.reverse()) {
      if (change >= 0) return;
      const less = Math.min(-change, member.concurrency);
      change += less;
      this.setConcurrency(member, -less);
    }
  }

  private hire(kind: JobKind, concurrency: number): void {
    const process = (job: { data: unknown }) => this.handle(kind, job.data);
    const worker = this.deps.backend.createWorker(JOB_CATALOG[kind].queue, process, { concurrency });
    this.crew.push({ kind, worker, concurrency });
  }

  private setConcurrency(member: CrewMember, change: number): void {
    member.concurrency += change;
    if (member.concurrency > 0) {
      member.worker.setConcurrency(member.concurrency);
      return;
    }
    // What it works on comes to its end.
    this.crew.splice(this.crew.indexOf(member), 1);
    const leaving = member.worker
      .close()
      .catch((error: unknown) => this.deps.logger.warn('A worker did not close cleanly', { error }))
      .finally(() => this.leaving.delete(leaving));
    this.leaving.add(leaving);
  }

  /** Takes nothing new, lets running jobs end for a while, then has them given back. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const giveBack = setTimeout(() => this.shutdown.abort(new Error('shutting down')), this.deps.drainMs);
    const farewell = new AbortController();
    try {
      const closed = Promise.all([...this.crew.map(({ worker }) => worker.close()), ...this.leaving]).then(() => true);
      const inTime = await Promise.race([closed, this.farewellOver(farewell.signal)]);
      if (inTime) return;
      this.deps.logger.warn('The queue does not hear that its jobs have ended; leaving it');
      for (const { worker } of this.crew) worker.disconnect();
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
