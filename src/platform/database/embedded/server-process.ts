import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../logging/logger.js';
import { EmbeddedPostgresError, codeOf } from './embedded-postgres.errors.js';
import type { PostgresBinaries } from './locate-binaries.js';
import { isAlive, isServerOf } from './postmaster-file.js';
import { invocationAs, type RunAs } from './run-as-user.js';
import { minimalEnvironment } from './run-command.js';
import { POSTGRES_PORT } from './socket-directory.js';

/** The running server as our child. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves with words like `exit code 1` when the process is gone. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
}

export interface ServerOptions {
  binaries: PostgresBinaries;
  runAs: RunAs;
  cluster: string;
  socketDirectory: string;
  /** The server's standard error goes here. */
  logDescriptor: number;
  /** Extra server settings by name. */
  settings: Record<string, string>;
  /** The number in a left-over `postmaster.pid`, when an unrelated process has it now. */
  foreignPid: number | undefined;
}

/**
 * Starts the server program; it is not ready yet. It has its own session, so that Ctrl-C in the terminal reaches only
 * the application, which ends the server last; should the application be killed, the kernel tells the server to stop.
 */
export async function spawnServer(options: ServerOptions): Promise<ServerProcess> {
  const args = ['-D', options.cluster, ...settingArguments(options)];
  const { command, args: words, user } = invocationAs(options.runAs, options.binaries.postgres, args, 'SIGINT');
  const child = spawn(command, words, {
    ...user,
    cwd: '/',
    detached: true,
    env: { ...minimalEnvironment(), ...pardonForForeignPid(options.foreignPid) },
    stdio: ['ignore', 'ignore', options.logDescriptor],
  });
  child.unref();
  let hasEnded = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      hasEnded = true;
      resolve(signal ? `signal ${signal}` : `exit code ${code}`);
    });
  });
  const { pid } = child;
  if (pid === undefined) {
    const cause = await new Promise<Error>((resolve) => child.once('error', resolve));
    throw new EmbeddedPostgresError(`The database server could not be started: ${cause.message}`, { cause });
  }
  return { pid, ended, hasEnded: () => hasEnded };
}

/** Ends a server that is our child: politely, then without its clean-up, then by force. Waits until it is gone. */
export async function stopServer(server: ServerProcess, logger: Logger): Promise<void> {
  await escalate(server.pid, logger, async (waitMs) => {
    if (server.hasEnded()) return true;
    const timeout = new AbortController();
    const late = delay(waitMs, false, { signal: timeout.signal }).catch(() => false); // rejects only when called off
    const inTime = await Promise.race([server.ended.then(() => true), late]);
    timeout.abort();
    return inTime;
  });
}

/** Ends a server whose starter was killed. Waits until it is gone. */
export async function stopOrphan(cluster: string, pid: number, logger: Logger): Promise<void> {
  await escalate(pid, logger, async (waitMs) => {
    const deadline = Date.now() + waitMs;
    while (await isServerOf(cluster, pid)) {
      if (Date.now() > deadline) return false;
      await delay(20);
    }
    return true;
  });
}

const FIXED_SETTINGS = ['listen_addresses', 'port', 'unix_socket_directories', 'data_directory', 'fsync'];

/** Sized for one machine that also runs the application; every one may be overridden. */
const DEFAULT_SETTINGS: Record<string, string> = {
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '512MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
};

function settingArguments({ socketDirectory, settings }: ServerOptions): string[] {
  for (const name of Object.keys(settings)) {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name) || FIXED_SETTINGS.includes(name.toLowerCase())) {
      throw new EmbeddedPostgresError(`The database setting "${name}" cannot be set here.`);
    }
  }
  const all = {
    ...DEFAULT_SETTINGS,
    ...settings,
    listen_addresses: '',
    port: String(POSTGRES_PORT),
    // It is a list for PostgreSQL: quoted, a comma in the path is only a comma.
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
    fsync: 'on',
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * PostgreSQL takes any live process of its user with the number in `postmaster.pid` for another server and refuses. This
 * variable, made for `pg_ctl`, exempts one number. Deleting the file instead would also throw away the key by which it
 * notices that processes of a killed server still write to the data.
 */
function pardonForForeignPid(pid: number | undefined): NodeJS.ProcessEnv {
  return pid === undefined ? {} : { PG_GRANDPARENT_PID: String(pid) };
}

/** PostgreSQL's fast shutdown, its immediate shutdown (recovers at the next start), and the end. */
const STOP_STEPS: [NodeJS.Signals, number][] = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

async function escalate(pid: number, logger: Logger, goneWithin: (waitMs: number) => Promise<boolean>): Promise<void> {
  for (const [signal, waitMs] of STOP_STEPS) {
    if (await goneWithin(0)) return;
    if (signal !== 'SIGINT') logger.warn('the database server does not stop, trying harder', { pid, signal });
    sendSignal(pid, signal);
    if (await goneWithin(waitMs)) return;
  }
  if (!(await isAlive(pid))) return;
  throw new EmbeddedPostgresError(`The database server (process ${pid}) cannot be stopped; end it by hand.`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return; // it ended by itself meanwhile
    throw new EmbeddedPostgresError(
      `The database server (process ${pid}) belongs to another user and cannot be stopped; start as that user.`,
      { cause: error },
    );
  }
}
