#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addRunnerAdministration } from './cli/runner/admin.commands.js';
import { addRunnerTest } from './cli/runner/runner.commands.js';
import { ConfigError, loadConfig, type Config } from './platform/config/load-config.js';
import type { Logger } from './platform/logging/logger.js';
import { createLogger } from './platform/logging/winston-logger.js';
import { VERSION } from './platform/version.js';
import type { ReceiptOptions } from './cli/receipt.js';
import { PROCESS_ROLES, type ProcessRole } from './processes/role.js';

/** sysexits.h: EX_USAGE, EX_CONFIG. */
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;
/** sysexits.h: EX_SOFTWARE. A check that could not be made found no difference. */
const EXIT_UNCHECKED = 70;

const DESCRIPTIONS: Record<ProcessRole, string> = {
  all: 'API, worker and scheduler in one process',
  api: 'HTTP and WebSocket',
  worker: 'take jobs from the queue and run them',
  scheduler: 'find what was lost, remove what is left over',
  migrate: 'bring the database up to date',
};

/** What a line of the log is about: a role, or a command that ends by itself. */
type Role = ProcessRole | 'ledger' | 'keys';
const ENDING: ReadonlySet<Role> = new Set(['migrate', 'ledger', 'keys']);

type Work = (config: Config, logger: Logger) => Promise<number>;

async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = new Command('infernode')
    .description('Self-hosted platform for asynchronous ML inference')
    .version(VERSION)
    .exitOverride();
  for (const role of PROCESS_ROLES) {
    program
      .command(role)
      .description(DESCRIPTIONS[role])
      .action(async () => {
        code = await withConfig({ role }, (config, logger) => runRole(role, config, logger));
      });
  }
  program
    .command('ledger')
    .description('the credits of all accounts')
    .command('verify')
    .description('recompute every balance and the money of every job; name the first difference')
    .option('--json', 'answer in JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      code = await withConfig({ role: 'ledger', failure: EXIT_UNCHECKED }, async (config, logger) =>
        (await import('./processes/ledger.process.js')).runLedgerVerify(config, logger, { json }),
      );
    });
  const keys = program
    .command('keys')
    .description('make the key pair of tokens, where there is none')
    .action(async () => {
      code = await withConfig({ role: 'keys' }, async (config) => (await import('./cli/keys.js')).makeKeys(config));
    });
  keys
    .command('rotate')
    .description('sign with a new key from now on; tokens of the one before count until they expire')
    .option('--force', 'also when tokens of the key before the current one still count')
    .option('--receipts', 'the key of receipts instead of that of tokens')
    .action(async ({ force = false, receipts = false }: { force?: boolean; receipts?: boolean }) => {
      code = await withConfig({ role: 'keys' }, async (config) => {
        const { rotateKeys, rotateReceiptKeys } = await import('./cli/keys.js');
        return receipts ? rotateReceiptKeys(config) : rotateKeys(config, { force });
      });
    });
  program
    .command('receipt')
    .description('receipts of completed jobs')
    .command('verify')
    .description('tell whether a receipt is genuine, and whether files are those it speaks of; works offline')
    .argument('<file>', 'as the API gave it (JSON), or the JWS alone; - reads it from the standard input')
    .option(
      '--keys <file or URL>',
      'the key set of the installation (/.well-known/jwks.json); default: the key of this one',
    )
    .option('--result <file>', 'the result as JSON')
    .option('--archive <file>', 'the result as ZIP')
    .option('--goal <file>', 'the goal video')
    .option('--current <file>', 'the current video')
    .option('--json', 'answer in JSON')
    .action(async (file: string, options: ReceiptOptions) => {
      const { verifyReceiptFile } = await import('./cli/receipt.js');
      code = await verifyReceiptFile(file, options);
    });
  const runner = program.command('runner').description('what jobs run on');
  const end = (exit: number) => (code = exit);
  addRunnerTest(runner, end);
  addRunnerAdministration(runner, end);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has told what is wrong, or shown what was asked for.
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  return code;
}

async function runRole(role: ProcessRole, config: Config, logger: Logger): Promise<number> {
  if (role === 'migrate') return (await import('./processes/migrate.process.js')).runMigrate(config, logger);
  return (await import('./processes/run-process.js')).runProcess(role, config, logger);
}

/** @returns the exit code: that of the work, or what keeps it from being done */
async function withConfig({ role, failure = 1 }: { role: Role; failure?: number }, work: Work): Promise<number> {
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
  try {
    return await work(config, logger);
  } catch (error) {
    logger.debug('The start failed', { error });
    process.stderr.write(`infernode: ${error instanceof Error ? error.message : String(error)}\n`);
    return failure;
  }
}

/** The embedded database belongs to one process; commands that end may look in. */
function refuseEmbeddedFor(role: Role, { database }: Config): void {
  if (database.kind !== 'embedded' || ENDING.has(role) || role === 'all') return;
  throw new ConfigError([
    `the role ${role} needs a database that several processes share: set DATABASE_URL (or run "infernode all")`,
  ]);
}

process.exitCode = await main(process.argv);
// Whatever still holds the event loop has had its time.
process.exit();
