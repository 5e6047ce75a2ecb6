import { loadConfig } from '../config/load-config.js';
import { createLogger } from '../logging/winston-logger.js';
import type { DatabaseConnection } from './connect.js';
import { connectOrStartEmbeddedPostgres } from './embedded/attach.js';

/** For command-line tools: the configured database; an embedded one is started for this process if none runs. */
export async function cliConnection(): Promise<DatabaseConnection> {
  const { database, dataDir } = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
  if (database.kind === 'external') return database;
  const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
  return (await connectOrStartEmbeddedPostgres({ dataDir, logger })).connection;
}
