import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DatabaseConnection } from '../../src/platform/database/connect.js';

/** Databases of test runs, and of nobody else: the prefix, then when they were made in seconds since 1970. */
const NAME = /^infernode_run_(\d{10})_[0-9a-f]{12}$/;
/** No run takes this long; what is older was left by one that crashed. */
const ABANDONED_AFTER_SECONDS = 2 * 3600;

function newDatabaseName(): string {
  const seconds = Math.floor(Date.now() / 1000);
  return `infernode_run_${seconds}_${randomBytes(6).toString('hex')}`;
}

/** An empty database, or a copy of a template that nobody is connected to. */
export async function createTestDatabase(server: DatabaseConnection, template?: string): Promise<DatabaseConnection> {
  const database = newDatabaseName();
  const copy = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`;
  await query(server, `CREATE DATABASE ${pg.escapeIdentifier(database)}${copy}`);
  return { ...server, database };
}

/** Ends whatever is still connected to it. */
export async function dropTestDatabase(server: DatabaseConnection, database: string): Promise<void> {
  if (!NAME.test(database)) throw new Error(`${database} is not a database of a test run`);
  await query(server, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
}

/** Drops what crashed runs have left; databases of others and of runs that go on stay. */
export async function dropAbandonedDatabases(server: DatabaseConnection): Promise<void> {
  const oldest = Date.now() / 1000 - ABANDONED_AFTER_SECONDS;
  for (const { datname } of await query<{ datname: string }>(server, 'SELECT datname FROM pg_database')) {
    const made = NAME.exec(datname)?.[1];
    if (made !== undefined && Number(made) < oldest) await dropTestDatabase(server, datname);
  }
}

/** One statement on a connection of its own. */
export async function query<Row extends object>(
  { host, port, username, password, database }: DatabaseConnection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({
    host,
    port,
    user: username,
    database,
    connectionTimeoutMillis: 10_000,
    ...(password === undefined ? {} : { password }),
  });
  // The query in progress fails all the same; without a listener the process would end.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** As DATABASE_URL has it; a socket folder travels as `?host=`. */
export function databaseUrl({ host, port, username, password, database }: DatabaseConnection): string {
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const user = `${encodeURIComponent(username)}${secret}`;
  return host.startsWith('/')
    ? `postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
    : `postgres://${user}@${host}:${port}/${database}`;
}
