import type { JobsOptions, JobState, Queue } from 'bullmq';

export interface QueuedJob {
  name: string;
  data: Record<string, string>;
  opts: JobsOptions;
}

export interface JobQueue {
  /** All or none. A job whose `jobId` is still queued is not added again. */
  add(jobs: readonly QueuedJob[]): Promise<void>;
  /** Where BullMQ has the job with this id now; `unknown` when it has none. */
  stateOf(jobId: string): Promise<JobState | 'unknown'>;
  close(): Promise<void>;
}

export interface JobWorker {
  /** Takes no new jobs from now on, and resolves when none is being worked on. */
  close(): Promise<void>;
  /** From its next job on. */
  setConcurrency(concurrency: number): void;
  /** For a `close` that does not come to its end: lets go of the queue, wherever that is. */
  disconnect(): void;
}

export type JobProcessor = (job: { name: string; data: unknown }) => Promise<void>;

/** What is queued, wherever it is queued. */
export interface QueueBackend {
  createQueue(name: string): Promise<JobQueue>;
  /** What has been created, as BullMQ knows it: for its dashboard. */
  readonly queues: readonly Queue[];
  createWorker(name: string, processor: JobProcessor, options: { concurrency: number }): JobWorker;
  /**
   * Runs `enqueue` so that what it adds belongs to the transaction that `connection` is in; null where the queue lives
   * outside the database and jobs have to be added after the commit.
   */
  readonly withinTransaction: (<T>(connection: unknown, enqueue: () => Promise<T>) => Promise<T>) | null;
  close(): Promise<void>;
}

/** Nothing is kept of finished jobs: the row tells how it went. */
export const FORGET_FINISHED = { removeOnComplete: true, removeOnFail: true } as const;
