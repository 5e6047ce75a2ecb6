import type { QueueConfig } from '../config/load-config.js';
import type { DatabaseConnection } from '../database/connect.js';
import type { Logger } from '../logging/logger.js';
import { PostgresQueueBackend } from './postgres.queue-backend.js';
import type { QueueBackend } from './queue-backend.port.js';
import { RedisQueueBackend } from './redis.queue-backend.js';

export interface QueueBackendOptions {
  queue: QueueConfig;
  database: DatabaseConnection;
  /** Connections (PostgreSQL); each worker needs one for itself. */
  poolSize: number;
  logger: Logger;
}

/** The queue that the configuration asks for: on Redis when there is one, else beside our tables. */
export function createQueueBackend({ queue, database, poolSize, logger }: QueueBackendOptions): QueueBackend {
  return queue.kind === 'redis'
    ? new RedisQueueBackend({ url: queue.url, prefix: queue.prefix, logger })
    : new PostgresQueueBackend({ database, poolSize, logger });
}
