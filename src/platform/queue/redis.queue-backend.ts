import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Logger } from '../logging/logger.js';
import type { JobProcessor, JobQueue, JobWorker, QueueBackend, QueuedJob } from './queue-backend.port.js';

/** Longest time a request waits for Redis before it is answered without it; the reconciler rings later. */
const COMMAND_TIMEOUT_MS = 5_000;

interface Options {
  url: string;
  /** Start of every key. */
  prefix: string;
  logger: Logger;
}

/** BullMQ on Redis. Jobs are added after the commit of their rows. */
export class RedisQueueBackend implements QueueBackend {
  readonly withinTransaction = null;
  private readonly connections: Redis[] = [];

  constructor(private readonly options: Options) {}

  createQueue(name: string): Promise<JobQueue> {
    // Producers fail fast; they are not to hang with the request.
    const connection = this.connect({ commandTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 1 });
    const queue = new Queue(name, { connection, prefix: this.options.prefix });
    queue.on('error', (error) => this.options.logger.warn('The queue has trouble', { queue: name, error }));
    return Promise.resolve({
      add: async (jobs: readonly QueuedJob[]) => {
        await queue.addBulk([...jobs]);
      },
      close: () => queue.close(),
    });
  }

  createWorker(name: string, processor: JobProcessor, { concurrency }: { concurrency: number }): JobWorker {
    // BullMQ asks for null here: a worker waits for Redis as long as it takes.
    const connection = this.connect({ maxRetriesPerRequest: null });
    const worker = new Worker(name, processor, { connection, concurrency, prefix: this.options.prefix });
    worker.on('error', (error) =>
      this.options.logger.warn('The worker has trouble with its queue', { queue: name, error }),
    );
    return { close: () => worker.close() };
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.quit()));
  }

  private connect(options: { commandTimeout?: number; maxRetriesPerRequest: number | null }): Redis {
    const connection = new Redis(this.options.url, {
      ...options,
      retryStrategy: (attempt) => Math.min(attempt * 100, 3_000),
    });
    connection.on('error', (error) => this.options.logger.warn('Redis has trouble', { error }));
    this.connections.push(connection);
    return connection;
  }
}
