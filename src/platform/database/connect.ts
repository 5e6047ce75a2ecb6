import { Sequelize } from 'sequelize';
import type { Logger } from '../logging/logger.js';

/** How to reach one PostgreSQL database; `host` may be the folder of a Unix socket. */
export interface DatabaseConnection {
  host: string;
  port: number;
  username: string;
  password?: string;
  database: string;
  ssl?: boolean;
}

/** BullMQ's tables live in a schema of their own, beside ours. */
export const QUEUE_SCHEMA = 'bullmq';

export interface ConnectOptions {
  connection: DatabaseConnection;
  poolSize: number;
  /** Shown by PostgreSQL in pg_stat_activity. */
  applicationName: string;
  logger: Logger;
}

/** Opens no connection yet; the pool does that as it is used. */
export function connectDatabase(options: ConnectOptions): Sequelize {
  const { connection, logger } = options;
  return new Sequelize({
    dialect: 'postgres',
    host: connection.host,
    port: connection.port,
    username: connection.username,
    ...(connection.password === undefined ? {} : { password: connection.password }),
    database: connection.database,
    pool: { max: options.poolSize, min: 0, idle: 30_000, acquire: 30_000 },
    dialectOptions: {
      application_name: options.applicationName,
      // A job is enqueued in the transaction of its row: the same connection has to see both schemas.
      options: `-c search_path=public,${QUEUE_SCHEMA}`,
      keepAlive: true,
      statement_timeout: 60_000,
      idle_in_transaction_session_timeout: 120_000,
      ...(connection.ssl === true ? { ssl: { rejectUnauthorized: true } } : {}),
    },
    logging: (sql) => logger.debug('SQL', { sql }),
    define: { underscored: true, timestamps: false },
  });
}
