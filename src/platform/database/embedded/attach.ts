import { setTimeout as delay } from 'node:timers/promises';
import fs from 'node:fs/promises';
import { connectionTo, ensureDatabase, type PostgresConnection } from './application-database.js';
import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
import { EmbeddedPostgresError, EmbeddedPostgresInUseError, codeOf } from './embedded-postgres.errors.js';
import { prepareLayout } from './layout.js';
import { isServerOf, readPostmasterFile } from './postmaster-file.js';
import { isPrivateDirectory } from './socket-directory.js';

export interface AttachedPostgres {
  readonly connection: PostgresConnection;
  /** Whether the server was started here and ends with this process. */
  readonly started: boolean;
  /** Ends the server if it was started here, else does nothing. */
  stop(): Promise<void>;
}

/**
 * For short-lived tools (migrations, seeds): uses the running server of the data directory, also one that another
 * process is just starting; where there is none, starts one that ends with this process.
 *
 * @throws what `startEmbeddedPostgres` throws
 */
export async function connectOrStartEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<AttachedPostgres> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 60_000);
  const layout = await prepareLayout(options.dataDir);
  for (;;) {
    options.signal?.throwIfAborted();
    const connection = await findRunning(layout.cluster, options.database ?? 'infernode');
    if (connection) return { connection, started: false, stop: () => Promise.resolve() };
    try {
      return endWithThisProcess(await startEmbeddedPostgres(options));
    } catch (error) {
      // Somebody else is starting it, or is just about to end: look again.
      if (!(error instanceof EmbeddedPostgresInUseError) || Date.now() > deadline) throw error;
    }
    await delay(100, undefined, { signal: options.signal });
  }
}

/** @returns undefined when no server answers */
async function findRunning(cluster: string, database: string): Promise<PostgresConnection | undefined> {
  try {
    const file = await readPostmasterFile(cluster);
    if (file?.status !== 'ready' || !(await isServerOf(cluster, file.pid))) return undefined;
    const { uid } = await fs.stat(cluster);
    if (!(await isPrivateDirectory(file.socketDirectory, uid))) return undefined;
    const connection = connectionTo(file.socketDirectory, database);
    await ensureDatabase(connection);
    return connection;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EACCES') {
      throw new EmbeddedPostgresError(`The database in ${cluster} belongs to another user; run this as that user.`, {
        cause: error,
      });
    }
    if (code !== undefined && SERVER_IS_NOT_THERE.includes(code)) return undefined;
    throw error;
  }
}

/** No socket, nobody behind it, cut off; starting up, shutting down, ended by an administrator, crashed. */
const SERVER_IS_NOT_THERE = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P03', '57P01', '57P02'];

/** Where the kernel does not do it (no `setpriv`, macOS), a normal end of this process takes the server with it. */
function endWithThisProcess(server: EmbeddedPostgres): AttachedPostgres {
  const interrupt = (): void => {
    try {
      process.kill(server.pid, 'SIGINT');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error; // it died a moment ago
    }
  };
  const forget = (): void => {
    process.off('exit', interrupt);
  };
  process.once('exit', interrupt);
  server.died.then(forget, forget);
  return {
    connection: server.connection,
    started: true,
    stop: async () => {
      await server.stop();
      forget();
    },
  };
}
