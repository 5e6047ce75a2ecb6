import { fileURLToPath } from 'node:url';
import type { Config } from '../platform/config/load-config.js';
import { connectDatabase } from '../platform/database/connect.js';
import { connectOrStartEmbeddedPostgres } from '../platform/database/embedded/attach.js';
import { migrateDatabase } from '../platform/database/migrate.js';
import type { Logger } from '../platform/logging/logger.js';

export const MIGRATIONS_DIR = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Migration on its own: next to a running server, or with a database of its own for the moment. */
export async function createMigration(config: Config, logger: Logger) {
  const { connection, stop } = await connectForTool(config, logger);
  const sequelize = connectDatabase({ connection, poolSize: 2, applicationName: 'infernode migrate', logger });
  return {
    run: () =>
      migrateDatabase({
        sequelize,
        connection,
        migrationsDir: MIGRATIONS_DIR,
        queueInDatabase: config.queue.kind === 'postgres',
        logger,
      }),
    close: async () => {
      await sequelize.close();
      await stop();
    },
  };
}

/** For commands that end: the running database where there is one. */
export async function connectForTool({ database, dataDir }: Config, logger: Logger) {
  return database.kind === 'external'
    ? { connection: database, stop: () => Promise.resolve() }
    : connectOrStartEmbeddedPostgres({ dataDir, logger });
}
