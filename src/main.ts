#!/usr/bin/env node
import { ConfigError, loadConfig, type Config } from './platform/config/load-config.js';
import { createLogger } from './platform/logging/winston-logger.js';
import { isProcessRole, PROCESS_ROLES, type ProcessRole } from './processes/role.js';

const USAGE = `Usage: infernode <${PROCESS_ROLES.join('|')}>\n`;
/** sysexits.h: EX_USAGE, EX_CONFIG. */
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;

async function main(role: string | undefined): Promise<number> {
  if (role === undefined || !isProcessRole(role)) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  let config: Config;
  try {
    config = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
    refuseEmbeddedFor(role, config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) process.stderr.write(`infernode: ${problem}\n`);
    return EXIT_CONFIG;
  }
  const { NODE_ENV, LOG_LEVEL } = config.settings;
  const format = NODE_ENV === 'production' ? 'json' : 'pretty';
  const logger = createLogger({ level: LOG_LEVEL, format, fields: { role } });
  for (const warning of config.warnings) logger.warn(warning);
  try {
    if (role === 'migrate') return await (await import('./processes/migrate.process.js')).runMigrate(config, logger);
    return await (await import('./processes/run-process.js')).runProcess(role, config, logger);
  } catch (error) {
    logger.debug('The start failed', { error });
    process.stderr.write(`infernode: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** The embedded database belongs to one process. */
function refuseEmbeddedFor(role: ProcessRole, { database }: Config): void {
  if (database.kind !== 'embedded' || role === 'all' || role === 'migrate') return;
  throw new ConfigError([
    `the role ${role} needs a database that several processes share: set DATABASE_URL (or run "infernode all")`,
  ]);
}

process.exitCode = await main(process.argv[2]);
// Whatever still holds the event loop has had its time.
process.exit();
