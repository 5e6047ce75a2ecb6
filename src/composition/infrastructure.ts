import { KeyRing } from '../platform/auth/key-ring.js';
import { ReceiptKeyFile } from '../platform/auth/receipt-key.js';
import { SecretBox } from '../platform/auth/secret-box.js';
import type { Config } from '../platform/config/load-config.js';
import { acquireDataDirectory } from '../platform/data-directory.js';
import { connectDatabase, type DatabaseConnection } from '../platform/database/connect.js';
import { migrateDatabase } from '../platform/database/migrate.js';
import { defineModels, type Models } from '../platform/database/model-registry.js';
import type { DatabaseScope } from '../platform/database/scope.js';
import { UnitOfWork } from '../platform/database/unit-of-work.js';
import type { EventBus } from '../platform/events/event-bus.port.js';
import { PostgresEventBus } from '../platform/events/postgres.bus.js';
import type { Lifecycle } from '../platform/lifecycle.js';
import type { Logger } from '../platform/logging/logger.js';
import { createVideoDecoder } from '../platform/media/create-video-decoder.js';
import type { VideoDecoder } from '../platform/media/video-decoder.port.js';
import { createQueueBackend } from '../platform/queue/create-queue-backend.js';
import type { QueueBackend } from '../platform/queue/queue-backend.port.js';
import { LocalObjectStore } from '../platform/storage/local.store.js';
import type { ObjectStore } from '../platform/storage/object-store.port.js';
import { JobClient } from '../workers/job-client.js';
import { runEmbeddedDatabase } from './embedded-database.js';
import { MIGRATIONS_DIR } from './migration.js';
import { createRepositories, type Repositories } from './repositories.js';

export interface Infrastructure {
  sequelize: DatabaseScope['sequelize'];
  models: Models;
  repositories: Repositories;
  uow: UnitOfWork<Repositories>;
  queue: QueueBackend;
  bus: EventBus;
  store: ObjectStore;
  decoder: VideoDecoder;
  keys: KeyRing;
  receiptKey: ReceiptKeyFile;
  secrets: SecretBox;
}

/** Everything that has a connection or a file, from the ground up; each part registers its end as it is made. */
export async function createInfrastructure(
  config: Config,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<Infrastructure> {
  const connection = await connectionFor(config, lifecycle, logger);
  const store = await LocalObjectStore.open(config.dataDir);
  // What lies in staging now is of a process that died: nobody else works in the folder of an embedded database.
  if (config.database.kind === 'embedded') await store.sweepStaging(new Date());

  const sequelize = connectDatabase({
    connection,
    poolSize: config.settings.DB_POOL_SIZE,
    applicationName: 'infernode',
    logger,
  });
  lifecycle.register('connections', 'database pool', () => sequelize.close());
  await migrateDatabase({
    sequelize,
    connection,
    migrationsDir: MIGRATIONS_DIR,
    queueInDatabase: config.queue.kind === 'postgres',
    logger,
  });
  const models = defineModels(sequelize);

  const queue = createQueueBackend({
    queue: config.queue,
    database: connection,
    poolSize: config.settings.DB_POOL_SIZE,
    logger,
  });
  lifecycle.register('connections', 'queue', () => queue.close());
  const jobs = await JobClient.open(queue, logger);
  lifecycle.register('connections', 'job client', () => jobs.close());

  const bus = new PostgresEventBus(connection, logger);
  lifecycle.register('connections', 'event bus', () => bus.close());
  await bus.start();

  const keys = await KeyRing.open({ paths: config, tokenSeconds: config.settings.JWT_EXPIRATION, logger });

  return {
    sequelize,
    models,
    repositories: createRepositories({ sequelize, models, transaction: null }),
    uow: new UnitOfWork({ sequelize, models, createRepositories, ringer: jobs }),
    queue,
    bus,
    store,
    decoder: createVideoDecoder({
      logger,
      ...(config.settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: config.settings.FFMPEG_PATH }),
    }),
    keys,
    receiptKey: await ReceiptKeyFile.open(config.receiptKeyPath, logger),
    secrets: await SecretBox.open(config.secretsKeyPath),
  };
}

async function connectionFor(config: Config, lifecycle: Lifecycle, logger: Logger): Promise<DatabaseConnection> {
  if (config.database.kind === 'external') return config.database;
  const directory = await acquireDataDirectory(config.dataDir, { logger, owner: 'infernode all' });
  lifecycle.register('foundation', 'data directory', () => directory.release());
  return runEmbeddedDatabase(config.dataDir, lifecycle, logger);
}
