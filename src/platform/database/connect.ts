import { Socket } from 'node:net';
import type { ClientConfig } from 'pg';
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

/**
 * Bounds on this side, for a server that is silent: its own timeouts cannot be heard then. A little more than the
 * server's own, so that its answer comes first.
 */
export const STATEMENT_TIMEOUT_MS = 60_000;
export const QUERY_TIMEOUT_MS = 65_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** The system would ask for the first time after two hours. */
const KEEP_ALIVE_DELAY_MS = 10_000;

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
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: 120_000,
      ...(connection.ssl === true ? { ssl: { rejectUnauthorized: true } } : {}),
    },
    logging: (sql) => logger.debug('SQL', { sql }),
    define: { underscored: true, timestamps: false },
    hooks: { afterConnect: (client: unknown) => askSoonWhetherAlive(client) },
  });
}

/** Sequelize does not hand the delay of keep-alive on to the driver. */
function askSoonWhetherAlive(client: unknown): void {
  const { stream } = (client as { connection: { stream: unknown } }).connection;
  if (stream instanceof Socket) stream.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
}

/** The connection as the driver itself wants it, for what does not go through Sequelize. */
export function driverConfig(connection: DatabaseConnection): ClientConfig {
  return {
    host: connection.host,
    port: connection.port,
    user: connection.username,
    ...(connection.password === undefined ? {} : { password: connection.password }),
    database: connection.database,
    ...(connection.ssl === true ? { ssl: { rejectUnauthorized: true } } : {}),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  };
}
