import type { Logger } from '../platform/logging/logger.js';
import type { Doorbell, DoorbellRinger } from '../platform/queue/doorbell.port.js';
import {
  FORGET_FINISHED,
  type JobQueue,
  type QueueBackend,
  type QueuedJob,
} from '../platform/queue/queue-backend.port.js';
import { JOB_CATALOG, type JobKind } from './job-catalog.js';

/** Turns bells into queue entries: inside the transaction where the queue shares it, after the commit elsewhere. */
export class JobClient implements DoorbellRinger {
  private constructor(
    private readonly backend: QueueBackend,
    private readonly queues: ReadonlyMap<JobKind, JobQueue>,
    private readonly logger: Logger,
  ) {}

  static async open(backend: QueueBackend, logger: Logger): Promise<JobClient> {
    const queues = new Map<JobKind, JobQueue>();
    for (const kind of Object.keys(JOB_CATALOG) as JobKind[]) {
      queues.set(kind, await backend.createQueue(JOB_CATALOG[kind].queue));
    }
    return new JobClient(backend, queues, logger);
  }

  async ringInside(connection: unknown, bells: readonly Doorbell[]): Promise<void> {
    const { withinTransaction } = this.backend;
    if (withinTransaction === null) return;
    await withinTransaction(connection, () => this.addAll(bells));
  }

  async ringAfterCommit(bells: readonly Doorbell[]): Promise<void> {
    if (this.backend.withinTransaction !== null) return;
    try {
      await this.addAll(bells);
    } catch (error) {
      this.logger.warn('The queue did not take the bells; the reconciler will ring again', {
        bells: bells.length,
        error,
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
  }

  private async addAll(bells: readonly Doorbell[]): Promise<void> {
    for (const [kind, queue] of this.queues) {
      const jobs = bells.filter((bell) => bell.kind === kind).map(toJob);
      if (jobs.length > 0) await queue.add(jobs);
    }
  }
}

function toJob({ kind, id, round, priority, delayMs }: Doorbell): QueuedJob {
  return {
    name: kind,
    data: { inferenceId: id },
    // One bell per round: ringing twice is ringing once. BullMQ takes the smallest number first.
    opts: { jobId: `${id}.${round}`, priority: 11 - priority, delay: delayMs, attempts: 1, ...FORGET_FINISHED },
  };
}
