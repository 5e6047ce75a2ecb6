import pg from 'pg';
import { POSTGRES_USER } from './cluster-init.js';
import { codeOf } from './embedded-postgres.errors.js';
import { POSTGRES_PORT } from './socket-directory.js';

/** What a PostgreSQL client needs; there is no password, the socket's folder is private to this user. */
export interface PostgresConnection {
  /** Folder of the Unix socket, absolute. */
  host: string;
  port: number;
  username: string;
  database: string;
}

export function connectionTo(socketDirectory: string, database: string): PostgresConnection {
  return { host: socketDirectory, port: POSTGRES_PORT, username: POSTGRES_USER, database };
}

/** Creates the application's database on a running server unless it is there. */
export async function ensureDatabase(connection: PostgresConnection): Promise<void> {
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: connection.username,
    database: 'postgres',
    connectionTimeoutMillis: 10_000,
  });
  // Without a listener a server that ends meanwhile would end this process; the query in progress fails all the same.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [connection.database]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(connection.database)}`);
  } catch (error) {
    const createdMeanwhile = ['42P04', '23505'].includes(codeOf(error) ?? '');
    if (!createdMeanwhile) throw error;
  } finally {
    await client.end();
  }
}
