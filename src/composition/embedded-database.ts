import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseConnection } from '../platform/database/connect.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../platform/database/embedded/embedded-postgres.js';
import type { Lifecycle } from '../platform/lifecycle.js';
import type { Logger } from '../platform/logging/logger.js';

const RESTART_PAUSE_MS = 500;

/** Runs the embedded PostgreSQL for as long as this process lives; one that dies is started again on the same data. */
export async function runEmbeddedDatabase(
  dataDir: string,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<DatabaseConnection> {
  let server = await startEmbeddedPostgres({ dataDir, logger });
  const supervise = async (current: EmbeddedPostgres): Promise<void> => {
    const cause = await current.died;
    while (!lifecycle.signal.aborted) {
      logger.error('The embedded database died; starting it again', { error: cause });
      try {
        server = await startEmbeddedPostgres({ dataDir, logger });
        void supervise(server);
        return;
      } catch (error) {
        logger.error('The embedded database does not start', { error });
        await wait(RESTART_PAUSE_MS);
      }
    }
  };
  void supervise(server);
  lifecycle.register('foundation', 'embedded database', () => server.stop());
  return server.connection;
}
