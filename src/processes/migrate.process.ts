import { createMigration } from '../composition/migration.js';
import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';

/** Brings the database up to date and ends. */
export async function runMigrate(config: Config, logger: Logger): Promise<number> {
  const migration = await createMigration(config, logger);
  try {
    await migration.run();
    process.stdout.write('The database is up to date.\n');
    return 0;
  } finally {
    await migration.close();
  }
}
