import { setTimeout as delay } from 'node:timers/promises';
import { FileLockedError, describeHolder, lockFile, type FileLock } from '../../file-lock.js';
import type { Logger } from '../../logging/logger.js';
import { connectionTo, ensureDatabase, type PostgresConnection } from './application-database.js';
import { ensureCluster } from './cluster-init.js';
import { EmbeddedPostgresError, EmbeddedPostgresInUseError, messageOf } from './embedded-postgres.errors.js';
import { prepareLayout, type Layout } from './layout.js';
import { locateBinaries, type PostgresBinaries } from './locate-binaries.js';
import { isAlive, isServerOf, readPostmasterFile } from './postmaster-file.js';
import { chooseRunAs, type RunAs } from './run-as-user.js';
import { openServerLog, type ServerLog } from './server-log.js';
import { spawnServer, stopOrphan, stopServer, type ServerProcess } from './server-process.js';
import { discardSocketDirectory, prepareSocketDirectory } from './socket-directory.js';

export interface EmbeddedPostgresOptions {
  /** The server lives in its subfolder `postgres`. */
  dataDir: string;
  /** Created when missing; default `infernode`. */
  database?: string;
  logger: Logger;
  /** Calls off the start; afterwards it means nothing. */
  signal?: AbortSignal;
  /** Default 60,000 ms; recovery after a crash counts in. */
  startTimeoutMs?: number;
  /** PostgreSQL settings by name, on top of ours; where it listens and `fsync` are not for changing. */
  settings?: Record<string, string>;
}

export interface EmbeddedPostgres {
  readonly pid: number;
  readonly connection: PostgresConnection;
  /** Ends the server (open transactions roll back) and waits until it is gone; again: the same promise. */
  stop(): Promise<void>;
  /** Resolves when the server ends without `stop()`. */
  readonly died: Promise<Error>;
}

/**
 * Starts a PostgreSQL server as a child of this process, creating its cluster the first time. A server left behind by a
 * killed process is ended first. Reachable through a Unix socket of this user only; every commit is on disk. To be
 * called from the main thread: on Linux the server ends with the thread that started it.
 *
 * @throws EmbeddedPostgresInUseError when a live process has started the server of this data directory
 * @throws EmbeddedPostgresError for everything else that is wrong; the signal's reason when called off
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const timeoutMs = options.startTimeoutMs ?? 60_000;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  signal.throwIfAborted();
  const binaries = await locateBinaries();
  const layout = await prepareLayout(options.dataDir);
  const lock = await takeLaunchLock(layout);
  try {
    return await startLocked({ ...options, signal }, layout, binaries, lock);
  } catch (error) {
    await lock.release();
    if (!timeout.aborted || options.signal?.aborted) throw error;
    throw new EmbeddedPostgresError(`The database was not ready within ${timeoutMs} ms; see ${layout.log}.`, {
      cause: error,
    });
  }
}

const POLL_MS = 15;

/** What one attempt to run the server needs. */
interface Launch {
  layout: Layout;
  binaries: PostgresBinaries;
  runAs: RunAs;
  log: ServerLog;
  logger: Logger;
  signal: AbortSignal;
  settings: Record<string, string>;
}

async function takeLaunchLock(layout: Layout): Promise<FileLock> {
  try {
    return await lockFile(layout.lock, 'database');
  } catch (cause) {
    if (!(cause instanceof FileLockedError)) throw cause;
    throw new EmbeddedPostgresInUseError(
      `The database in ${layout.root} is in use by ${describeHolder(cause.holder)}.`,
      { cause },
    );
  }
}

async function startLocked(
  options: EmbeddedPostgresOptions & { signal: AbortSignal },
  layout: Layout,
  binaries: PostgresBinaries,
  lock: FileLock,
): Promise<EmbeddedPostgres> {
  const { logger, signal } = options;
  // Before anything is handed to another user: it could not be while a server still writes.
  await endOrphan(layout, logger);
  const runAs = await chooseRunAs(layout, binaries);
  await ensureCluster({ layout, binaries, runAs, logger, signal });
  const log = openServerLog(layout.log, logger);
  const launch: Launch = { layout, binaries, runAs, log, logger, signal, settings: options.settings ?? {} };
  try {
    const socketDirectory = await prepareSocketDirectory(layout, runAs);
    const server = await launchServer(launch, socketDirectory);
    const connection = connectionTo(socketDirectory, options.database ?? 'infernode');
    try {
      await ensureDatabase(connection);
      signal.throwIfAborted();
    } catch (error) {
      await stopServer(server, logger);
      throw error;
    }
    logger.info('database started', { pid: server.pid, socket: socketDirectory, runsAs: runAs.uid });
    return toHandle(server, connection, launch, lock);
  } catch (error) {
    log.close();
    throw error;
  }
}

/**
 * We hold the launch lock, so whoever started a server that still runs is gone, and it may be on its way out already.
 *
 * @returns the number in the left-over file, which is nobody's now, or an unrelated process's, or a zombie's
 */
async function endOrphan(layout: Layout, logger: Logger): Promise<number | undefined> {
  const left = await readPostmasterFile(layout.cluster);
  if (!left) return undefined;
  if (await isServerOf(layout.cluster, left.pid)) {
    logger.info('ending a database server that was left behind', { pid: left.pid });
    await stopOrphan(layout.cluster, left.pid, logger);
    return undefined;
  }
  if (await isAlive(left.pid)) logger.debug('another process has the number of a former server', { pid: left.pid });
  return left.pid;
}

/** Starts the server and waits until it takes connections. */
async function launchServer(launch: Launch, socketDirectory: string): Promise<ServerProcess> {
  for (;;) {
    launch.signal.throwIfAborted();
    const foreignPid = await endOrphan(launch.layout, launch.logger);
    const server = await spawnServer({
      ...launch,
      cluster: launch.layout.cluster,
      socketDirectory,
      logDescriptor: launch.log.descriptor,
      foreignPid,
    });
    const outcome = await waitUntilReady(server, launch);
    if (outcome === 'ready') return server;
    const tail = launch.log.tail();
    if (!isHeldByLastProcesses(tail)) throw new EmbeddedPostgresError(describeFailure(outcome, tail, launch.layout));
    await delay(100, undefined, { signal: launch.signal });
  }
}

async function waitUntilReady(server: ServerProcess, { layout, logger, signal }: Launch): Promise<string> {
  while (!server.hasEnded()) {
    const file = await readPostmasterFile(layout.cluster);
    if (file?.pid === server.pid && file.status === 'ready') return 'ready';
    if (signal.aborted) {
      await stopServer(server, logger);
      throw signal.reason;
    }
    await delay(POLL_MS);
  }
  return server.ended;
}

/** The processes of a server that was killed end by themselves, but not at once. */
function isHeldByLastProcesses(log: string): boolean {
  return lastFatal(log).includes('pre-existing shared memory block');
}

function describeFailure(outcome: string, tail: string, layout: Layout): string {
  return `The database server ended at start (${outcome}): ${lastFatal(tail) || 'it gave no reason'}; see ${layout.log}.`;
}

function lastFatal(log: string): string {
  const lines = log.split('\n').filter((line) => /\b(FATAL|PANIC|ERROR):/.test(line));
  return lines.at(-1)?.replace(/^.*?\b(FATAL|PANIC|ERROR):\s*/, '') ?? '';
}

function toHandle(
  server: ServerProcess,
  connection: PostgresConnection,
  { layout, log, logger }: Launch,
  lock: FileLock,
): EmbeddedPostgres {
  let stopping: Promise<void> | undefined;
  const ended = server.ended.then(async (outcome) => {
    const reason = lastFatal(log.tail());
    log.close();
    try {
      await discardSocketDirectory(connection.host, layout);
    } catch (error) {
      // Only untidy: the next start uses the same folder again.
      logger.warn('the folder of the database socket stays behind', { path: connection.host, error: messageOf(error) });
    }
    try {
      await lock.release();
    } catch (error) {
      // The descriptor is closed by now or with this process; who waits for `ended` is not to fail for it.
      logger.warn('the lock of the database was not given back cleanly', { error: messageOf(error) });
    }
    return reason ? `${outcome}: ${reason}` : outcome;
  });
  const died = new Promise<Error>((resolve) => {
    void ended.then((how) => {
      if (stopping) return;
      resolve(new EmbeddedPostgresError(`The database server ended unexpectedly (${how}); see ${layout.log}.`));
    });
  });

  return {
    pid: server.pid,
    connection,
    died,
    stop: () => {
      stopping ??= (async () => {
        await stopServer(server, logger);
        await ended;
        logger.info('database stopped', { pid: server.pid });
      })();
      return stopping;
    },
  };
}
