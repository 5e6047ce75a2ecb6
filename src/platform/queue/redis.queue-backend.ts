import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../logging/logger.js';
import type { JobProcessor, JobQueue, JobWorker, QueueBackend, QueuedJob } from './queue-backend.port.js';

/** Longest time a request waits for Redis before it is answered without it; the reconciler rings later. */
const COMMAND_TIMEOUT_MS = 5_000;
/** How long a start waits for Redis; without it the start goes on. */
const FIRST_CONTACT_MS = 2_000;
const GOODBYE_MS = 1_000;

interface Options {
  url: string;
  /** Start of every key. */
  prefix: string;
  logger: Logger;
}

/** BullMQ on Redis. Jobs are added after the commit of their rows. */
export class RedisQueueBackend implements QueueBackend {
  readonly withinTransaction = null;
  readonly queues: Queue[] = [];
  private readonly connections: Redis[] = [];

  constructor(private readonly options: Options) {}

  async createQueue(name: string): Promise<JobQueue> {
    // Producers fail fast; they are not to hang with the request.
    const connection = this.connect({ commandTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 1 });
    // A version check that fails would spoil the queue for good.
    const queue = new Queue(name, { connection, prefix: this.options.prefix, skipVersionCheck: true });
    queue.on('error', (error) => this.options.logger.warn('The queue has trouble', { queue: name, error }));
    await firstContact(queue.waitUntilReady());
    this.queues.push(queue);
    return {
      add: async (jobs: readonly QueuedJob[]) => {
        await answerOf(connection, () => queue.addBulk([...jobs]));
      },
      stateOf: (jobId) => answerOf(connection, () => queue.getJobState(jobId)),
      close: () => queue.close(),
    };
  }

  createWorker(name: string, processor: JobProcessor, { concurrency }: { concurrency: number }): JobWorker {
    // BullMQ asks for null here: a worker waits for Redis as long as it takes.
    const connection = this.connect({ maxRetriesPerRequest: null });
    const worker = new Worker(name, processor, { connection, concurrency, prefix: this.options.prefix });
    worker.on('error', (error) =>
      this.options.logger.warn('The worker has trouble with its queue', { queue: name, error }),
    );
    return {
      close: () => worker.close(),
      setConcurrency: (jobs) => {
        worker.concurrency = jobs;
      },
      disconnect: () => this.connections.forEach((open) => open.disconnect()),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => sayGoodbye(connection)));
  }

  private connect(options: { commandTimeout?: number; maxRetriesPerRequest: number | null }): Redis {
    const connection = new SharedRedis(
      this.options.url,
      { ...options, retryStrategy: (attempt) => Math.min(attempt * 100, 3_000) },
      (copy) => this.connections.push(copy),
    );
    connection.on('error', (error) => this.options.logger.warn('Redis has trouble', { error }));
    this.connections.push(connection);
    return connection;
  }
}

/** Tells of the copies that BullMQ makes for blocking reads: they have to be ended too. */
class SharedRedis extends Redis {
  constructor(
    url: string,
    options: Pick<RedisOptions, 'commandTimeout' | 'maxRetriesPerRequest' | 'retryStrategy'>,
    private readonly onCopy: (copy: Redis) => void,
  ) {
    super(url, options);
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    this.onCopy(copy);
    return copy;
  }
}

/** Returns when the queue is ready, or cannot be now; what comes later is told by its events. */
async function firstContact(ready: Promise<unknown>): Promise<void> {
  const waiting = new AbortController();
  const late = delay(FIRST_CONTACT_MS, undefined, { signal: waiting.signal });
  await Promise.allSettled([Promise.race([ready, late])]);
  waiting.abort();
  await Promise.allSettled([late]);
}

/** @throws Error at once while there is no connection, and when the answer does not come in time */
async function answerOf<T>(connection: Redis, ask: () => Promise<T>): Promise<T> {
  if (connection.status !== 'ready') throw new Error(`Redis is not connected (${connection.status})`);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`));
    timer = setTimeout(giveUp, COMMAND_TIMEOUT_MS);
  });
  try {
    return await Promise.race([ask(), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function sayGoodbye(connection: Redis): Promise<void> {
  if (connection.status === 'ready') {
    const waiting = new AbortController();
    await Promise.race([
      Promise.allSettled([connection.quit()]),
      Promise.allSettled([delay(GOODBYE_MS, undefined, { signal: waiting.signal })]),
    ]);
    waiting.abort();
  }
  connection.disconnect();
}
