import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { MIGRATIONS_DIR } from '../../src/composition/migration.js';
import { createSigningKeys, type KeyPaths } from '../../src/platform/auth/signing-keys.js';
import { loadConfig } from '../../src/platform/config/load-config.js';
import { connectDatabase, type DatabaseConnection } from '../../src/platform/database/connect.js';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/embedded-postgres.js';
import { migrateDatabase } from '../../src/platform/database/migrate.js';
import { silentLogger } from './silent-logger.js';
import { createTestDatabase, dropAbandonedDatabases, dropTestDatabase } from './test-database.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of this run, reached through a database that nobody works in. */
    databaseServer: DatabaseConnection;
    /** A migrated database to be copied. */
    templateDatabase: string;
    redisUrl: string | null;
    /** One pair for all apps of the run: making one takes longer than most tests. */
    signingKeys: KeyPaths;
  }
}

/**
 * One PostgreSQL for the whole run: that of TEST_DATABASE_URL, else an embedded one in a temporary folder. With
 * TEST_REDIS_URL the queues are on that Redis.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-tests-'));
  const { server, stop } = await findServer(process.env['TEST_DATABASE_URL'], folder);
  const tearDown = async (): Promise<void> => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const keys = {
      privateKeyPath: path.join(folder, 'private.key'),
      publicKeyPath: path.join(folder, 'public.key'),
      previousPublicKeyPath: path.join(folder, 'previous-public.key'),
    };
    await createSigningKeys(keys);
    project.provide('signingKeys', keys);
    await dropAbandonedDatabases(server);
    const template = await createTemplate(server);
    project.provide('databaseServer', server);
    project.provide('templateDatabase', template);
    project.provide('redisUrl', process.env['TEST_REDIS_URL'] ?? null);
    return async () => {
      await dropTestDatabase(server, template);
      await tearDown();
    };
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function findServer(
  url: string | undefined,
  dataDir: string,
): Promise<{ server: DatabaseConnection; stop(): Promise<void> }> {
  if (url !== undefined && url !== '') {
    const { database } = loadConfig({ env: { DATABASE_URL: url }, cwd: os.tmpdir(), readDotenv: false });
    if (database.kind !== 'external') throw new Error('TEST_DATABASE_URL names no database');
    return { server: database, stop: () => Promise.resolve() };
  }
  const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger, settings: { max_connections: '300' } });
  return { server: postgres.connection, stop: () => postgres.stop() };
}

async function createTemplate(server: DatabaseConnection): Promise<string> {
  const connection = await createTestDatabase(server);
  const sequelize = connectDatabase({ connection, poolSize: 2, applicationName: 'tests', logger: silentLogger });
  try {
    await migrateDatabase({
      sequelize,
      connection,
      migrationsDir: MIGRATIONS_DIR,
      queueInDatabase: true,
      logger: silentLogger,
    });
  } finally {
    await sequelize.close();
  }
  return connection.database;
}
