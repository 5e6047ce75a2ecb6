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
      const jobs: QueuedJob[] = [];
      for (const bell of bells) {
        if (bell.kind !== kind) continue;
        const name = bell.again === true ? await nameAgain(queue, bell) : nameOf(bell);
        if (name !== null) jobs.push(toJob(bell, name));
      }
      if (jobs.length > 0) await queue.add(jobs);
    }
  }
}

/** One bell per round: ringing twice is ringing once. */
const nameOf = ({ id, round }: Doorbell): string => `${id}.${round}`;

/** Ringing again twice within this time is ringing again once. */
const AGAIN_EVERY_MS = 30_000;
/** A bell in such a state is heard when its turn comes. */
const WAITING_STATES: readonly string[] = ['waiting', 'prioritized'];

/** @returns null when the first bell still waits for its turn */
async function nameAgain(queue: JobQueue, bell: Doorbell): Promise<string | null> {
  const name = nameOf(bell);
  const state = await queue.stateOf(name);
  if (state === 'unknown') return name;
  return WAITING_STATES.includes(state) ? null : `${name}.${Math.floor(Date.now() / AGAIN_EVERY_MS)}`;
}

function toJob({ kind, id, priority, delayMs }: Doorbell, name: string): QueuedJob {
  return {
    name: kind,
    data: JOB_CATALOG[kind].naming(id),
    // BullMQ takes the smallest number first.
    opts: { jobId: name, priority: 11 - priority, delay: delayMs, attempts: 1, ...FORGET_FINISHED },
  };
}
