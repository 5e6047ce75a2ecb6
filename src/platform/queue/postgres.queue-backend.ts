import { AsyncLocalStorage } from 'node:async_hooks';
import {
  createPostgresBackend,
  Queue,
  Worker,
  type PgPool,
  type PgPoolClient,
  type PgQueryable,
  type PgQueryResult,
} from 'bullmq';
import pg from 'pg';
import {
  driverConfig,
  QUERY_TIMEOUT_MS,
  QUEUE_SCHEMA,
  STATEMENT_TIMEOUT_MS,
  type DatabaseConnection,
} from '../database/connect.js';
import type { Logger } from '../logging/logger.js';
import type { JobProcessor, JobQueue, JobWorker, QueueBackend, QueuedJob } from './queue-backend.port.js';

interface Options {
  database: DatabaseConnection;
  poolSize: number;
  logger: Logger;
}

/** BullMQ's tables beside ours, in a schema of their own that has been migrated before. */
export class PostgresQueueBackend implements QueueBackend {
  readonly queues: Queue[] = [];
  private readonly pool: pg.Pool;
  private readonly transaction = new AsyncLocalStorage<pg.ClientBase>();

  constructor(private readonly options: Options) {
    const { database, poolSize, logger } = options;
    this.pool = new pg.Pool({
      ...driverConfig(database),
      max: poolSize,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      application_name: 'infernode queue',
      options: `-c search_path=${QUEUE_SCHEMA}`,
    });
    this.pool.on('error', (error) => logger.warn('An idle queue connection broke', { error }));
  }

  async createQueue(name: string): Promise<JobQueue> {
    const connection = new TransactionAwarePool(this.pool, this.transaction);
    const queue = new Queue(name, { connection }, createPostgresBackend);
    queue.on('error', (error) => this.options.logger.warn('The queue has trouble', { queue: name, error }));
    // Before the first transaction: getting ready inside one would use its connection.
    await queue.waitUntilReady();
    // It differs from one on Redis in the type of its connection alone.
    this.queues.push(queue as unknown as Queue);
    return {
      add: async (jobs: readonly QueuedJob[]) => {
        await queue.addBulk([...jobs]);
      },
      stateOf: (jobId) => queue.getJobState(jobId),
      close: () => queue.close(),
    };
  }

  createWorker(name: string, processor: JobProcessor, { concurrency }: { concurrency: number }): JobWorker {
    const connection = new TransactionAwarePool(this.pool, this.transaction);
    const worker = new Worker(name, processor, { connection, concurrency }, createPostgresBackend);
    worker.on('error', (error) =>
      this.options.logger.warn('The worker has trouble with its queue', { queue: name, error }),
    );
    return {
      close: () => worker.close(),
      setConcurrency: (jobs) => {
        worker.concurrency = jobs;
      },
      disconnect: () => {
        worker
          .disconnect()
          .catch((error: unknown) => this.options.logger.debug('A worker did not disconnect cleanly', { error }));
      },
    };
  }

  readonly withinTransaction = <T>(connection: unknown, enqueue: () => Promise<T>): Promise<T> =>
    this.transaction.run(connection as pg.ClientBase, enqueue);

  close(): Promise<void> {
    return this.pool.end();
  }
}

/** Looks like a pool to BullMQ; inside a transaction its queries go over that transaction's connection. */
class TransactionAwarePool implements PgPool {
  constructor(
    private readonly pool: pg.Pool,
    private readonly transaction: AsyncLocalStorage<pg.ClientBase>,
  ) {}

  query<R>(text: string, parameters?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const target: PgQueryable = this.transaction.getStore() ?? this.pool;
    return target.query<R>(text, parameters);
  }

  connect(): Promise<PgPoolClient> {
    return this.pool.connect();
  }

  /** The owner of the pool ends it. */
  end(): Promise<void> {
    return Promise.resolve();
  }

  on(event: 'error' | 'connect', listener: ((error: Error) => void) | ((client: PgPoolClient) => void)): this {
    this.pool.on(event as 'error', listener as (error: Error) => void);
    return this;
  }

  removeAllListeners(): this {
    // BullMQ closes its side only; the pool's own listeners are not its to remove.
    return this;
  }
}
