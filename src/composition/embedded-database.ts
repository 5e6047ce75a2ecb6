import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseConnection } from '../platform/database/connect.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../platform/database/embedded/embedded-postgres.js';
import type { Lifecycle } from '../platform/lifecycle.js';
import type { Logger } from '../platform/logging/logger.js';

/** A server that lived shorter than this is started again only after a pause: it would die in a circle. */
const SHORT_LIFE_MS = 10_000;
const RESTART_PAUSE_MS = 500;

type StartServer = typeof startEmbeddedPostgres;

/** Runs the embedded PostgreSQL for as long as this process lives; one that dies is started again on the same data. */
export async function runEmbeddedDatabase(
  dataDir: string,
  lifecycle: Lifecycle,
  logger: Logger,
  startServer: StartServer = startEmbeddedPostgres,
): Promise<DatabaseConnection> {
  const closing = new AbortController();
  const first = await startServer({ dataDir, logger });
  const supervision = supervise(first, {
    dataDir,
    logger,
    shutdown: lifecycle.signal,
    closing: closing.signal,
    startServer,
  });
  lifecycle.register('foundation', 'embedded database', async () => {
    // Also calls off a start that is going on: no server may come up behind the shutdown.
    closing.abort();
    await (await supervision.current())?.stop();
  });
  return first.connection;
}

interface Supervision {
  dataDir: string;
  logger: Logger;
  /** Once it fires, a dead server stays dead. */
  shutdown: AbortSignal;
  /** Calls off what is being started. */
  closing: AbortSignal;
  startServer: StartServer;
}

/** @returns `current`: the server that runs; waits for one that is coming up, null when none came */
function supervise(first: EmbeddedPostgres, supervision: Supervision) {
  let current: Promise<EmbeddedPostgres | null> = Promise.resolve(first);
  const watch = (server: EmbeddedPostgres): void => {
    const startedAt = performance.now();
    void server.died.then((cause) => {
      if (supervision.shutdown.aborted) return;
      supervision.logger.error('The embedded database died; starting it again', { error: cause });
      current = startAgain(performance.now() - startedAt < SHORT_LIFE_MS, supervision);
      void current.then((next) => {
        if (next !== null) watch(next);
      });
    });
  };
  watch(first);
  return { current: () => current };
}

/** @returns null when the shutdown came first */
async function startAgain(
  pauseFirst: boolean,
  { dataDir, logger, shutdown, closing, startServer }: Supervision,
): Promise<EmbeddedPostgres | null> {
  let pause = pauseFirst;
  while (!shutdown.aborted) {
    try {
      if (pause) await wait(RESTART_PAUSE_MS, undefined, { signal: closing });
      return await startServer({ dataDir, logger, signal: closing });
    } catch (error) {
      if (closing.aborted) return null;
      logger.error('The embedded database does not start', { error });
      pause = true;
    }
  }
  return null;
}
