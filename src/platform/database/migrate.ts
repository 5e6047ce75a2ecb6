import { createRequire } from 'node:module';
import path from 'node:path';
import pg from 'pg';
import { runMigrations as runQueueMigrations } from 'bullmq';
import type { QueryInterface, Sequelize } from 'sequelize';
import { SequelizeStorage, Umzug } from 'umzug';
import type { Logger } from '../logging/logger.js';
import { driverConfig, QUEUE_SCHEMA, type DatabaseConnection } from './connect.js';

/** Held while migrating; the number only has to be ours. */
const LOCK_ID = 7_206_201_126;
/** Somebody else may be migrating a large table meanwhile. */
const LOCK_WAIT_MS = 600_000;

interface MigrateOptions {
  sequelize: Sequelize;
  connection: DatabaseConnection;
  /** Folder with the migrations that sequelize-cli runs too. */
  migrationsDir: string;
  /** True when BullMQ keeps its queue in this database. */
  queueInDatabase: boolean;
  logger: Logger;
}

/** Brings the schema up to date; of several processes that start at once, one migrates and the others wait for it. */
export async function migrateDatabase(options: MigrateOptions): Promise<void> {
  const { connection, logger } = options;
  const client = new pg.Client({
    ...driverConfig(connection),
    query_timeout: LOCK_WAIT_MS,
  });
  // Without a listener a lost connection would end the process; the statement in progress fails all the same.
  client.on('error', (error) => logger.warn('The connection that holds the migration lock broke', { error }));
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_ID]);
    if (options.queueInDatabase) await runQueueMigrations(client, QUEUE_SCHEMA);
    const applied = await createUmzug(options).up();
    if (applied.length > 0)
      logger.info('Database migrated', { migrations: applied.map((migration) => migration.name) });
  } finally {
    await client.end();
  }
}

interface MigrationModule {
  up(queryInterface: QueryInterface): Promise<unknown>;
  down(queryInterface: QueryInterface): Promise<unknown>;
}

function createUmzug({ sequelize, migrationsDir }: MigrateOptions) {
  const require = createRequire(import.meta.url);
  return new Umzug({
    migrations: {
      glob: ['*.cjs', { cwd: migrationsDir }],
      // The name includes the extension, as sequelize-cli records it: both share one list of what was applied.
      resolve: ({ name, path: file, context }) => {
        const migration = require(path.resolve(migrationsDir, file ?? name)) as MigrationModule;
        return { name, up: () => migration.up(context), down: () => migration.down(context) };
      },
    },
    context: sequelize.getQueryInterface(),
    storage: new SequelizeStorage({ sequelize, tableName: 'SequelizeMeta' }),
    logger: undefined,
  });
}
