import { chmod, chown, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inject, onTestFailed } from 'vitest';
import type { DatabaseConnection } from '../../../src/platform/database/connect.js';
import { connectOrStartEmbeddedPostgres } from '../../../src/platform/database/embedded/attach.js';
import { describeProcesses, processesIn, type ProcessInfo } from '../../support/process-tree.js';
import {
  killHard,
  runToEnd,
  ServerProcess,
  type FinishedCommand,
  type ServerProcessOptions,
} from '../../support/server-process.js';
import { silentLogger } from '../../support/silent-logger.js';
import { createTestDatabase, databaseUrl, dropTestDatabase, query } from '../../support/test-database.js';
import { until } from '../../support/wait.js';

export interface InstallationOptions {
  /** Settings on top of those for tests. */
  settings?: Record<string, string>;
  /**
   * `embedded`: all by itself, one process. `shared`: its own database on the PostgreSQL of the test run (and its own
   * queue on its Redis, if it has one), for any number of processes. Default: as the test run is.
   */
  database?: 'embedded' | 'shared';
  /** Files and processes belong to this user (root only). */
  uid?: number;
  /** Run what was built instead of the source. */
  built?: boolean;
}

/** Short times, so that a test sees in seconds what takes longer in real life. */
const TEST_SETTINGS = {
  NODE_ENV: 'test',
  PORT: '0',
  HOST: '127.0.0.1',
  BCRYPT_COST: '4',
  AUTH_RATE_LIMIT: '1000000',
  RATE_LIMIT_PER_ADDRESS: '0',
  RATE_LIMIT_PER_USER: '0',
  JOB_LEASE: '3s',
  JOB_BACKOFF: '1s',
  RECONCILE_INTERVAL: '1s',
  DATA_DIR: 'data',
  JWT_PRIVATE_KEY_PATH: 'keys/private.key',
  JWT_PUBLIC_KEY_PATH: 'keys/public.key',
};
const LAST_PROCESSES_MS = 15_000;
const LOG_TAIL_LENGTH = 6000;

/** One installation in a folder of its own: what a person sets up once and starts again and again. */
export class Installation {
  readonly servers: ServerProcess[] = [];

  private constructor(
    /** Holds everything of the installation; every process of it works in there. */
    readonly folder: string,
    readonly env: Readonly<Record<string, string>>,
    private readonly database: DatabaseConnection | null,
    private readonly place: Pick<ServerProcessOptions, 'cwd' | 'uid' | 'built'>,
  ) {}

  static async create({ settings = {}, database = defaultDatabase(), uid, built }: InstallationOptions = {}) {
    const connection = database === 'shared' ? await createTestDatabase(inject('databaseServer')) : null;
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'infernode-e2e-')));
    // The database server runs as another user when this is root, and has to get through.
    await chmod(folder, 0o755);
    if (uid !== undefined) await chown(folder, uid, uid);
    const env = {
      ...passedEnvironment(),
      ...TEST_SETTINGS,
      ...(connection === null ? {} : { DATABASE_URL: databaseUrl(connection), ...queueSettings(folder) }),
      ...settings,
    };
    const user = uid === undefined ? {} : { uid };
    return new Installation(folder, env, connection, { cwd: folder, ...user, built: built === true });
  }

  get dataDir(): string {
    return path.join(this.folder, 'data');
  }

  async start(
    role: ServerProcessOptions['role'] = 'all',
    settings: Record<string, string> = {},
  ): Promise<ServerProcess> {
    const server = await ServerProcess.start({ role, ...this.place, env: { ...this.env, ...settings } });
    this.servers.push(server);
    return server;
  }

  /** Runs the main program, or another script, until it ends by itself. */
  run(words: readonly string[], settings: Record<string, string> = {}, script?: string): Promise<FinishedCommand> {
    const options = { ...this.place, env: { ...this.env, ...settings } };
    return runToEnd(words, script === undefined ? options : { ...options, script });
  }

  /** One statement on the database, whether the installation runs or not. */
  async query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (this.database !== null) return query<Row>(this.database, sql, values);
    const server = await connectOrStartEmbeddedPostgres({ dataDir: this.dataDir, logger: silentLogger });
    try {
      return await query<Row>(server.connection, sql, values);
    } finally {
      await server.stop();
    }
  }

  /** Files of the store by their path below the data directory, in order. */
  async files(folder: 'objects' | 'staging'): Promise<string[]> {
    const entries = await readdir(path.join(this.dataDir, folder), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.dataDir, path.join(entry.parentPath, entry.name)))
      .sort();
  }

  /** Whatever is alive of this installation. */
  processes(): Promise<ProcessInfo[]> {
    return processesIn(this.folder);
  }

  /** Waits until nothing of the installation is alive. @throws Error that names what is */
  async expectNoProcesses(): Promise<void> {
    let left: ProcessInfo[] = [];
    try {
      await until(async () => (left = await this.processes()).length === 0, { deadline: LAST_PROCESSES_MS });
    } catch (error) {
      throw new Error(`Still alive in ${this.folder}:\n${describeProcesses(left)}`, { cause: error });
    }
  }

  /** Stops what runs (each has to end with 0), checks that nothing outlives it, and removes everything. */
  async close(): Promise<void> {
    try {
      await Promise.all(this.servers.filter(({ running }) => running).map((server) => server.stop()));
      await this.expectNoProcesses();
    } finally {
      for (const { pid } of await this.processes()) killHard(pid);
      if (this.database !== null) await dropTestDatabase(inject('databaseServer'), this.database.database);
      await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** The last words of every process, for the report of a failed test. */
  logs(): string {
    return this.servers.map(({ log }) => log.slice(-LOG_TAIL_LENGTH)).join('\n');
  }
}

/** Runs a test with an installation; a failure shows its logs, and the end of the test is the end of its processes. */
export async function withInstallation(
  options: InstallationOptions,
  test: (installation: Installation) => Promise<void>,
): Promise<void> {
  const installation = await Installation.create(options);
  onTestFailed(() => {
    process.stderr.write(`${installation.logs()}\n`);
  });
  try {
    await test(installation);
  } catch (error) {
    // The test's own error is the one to show; whatever runs is ended the hard way.
    for (const { pid } of await installation.processes()) killHard(pid);
    await until(() => installation.servers.every(({ running }) => !running), { what: 'killed servers have ended' });
    await installation.close();
    throw error;
  }
  await installation.close();
}

/** What a shell would have, and no setting of whoever runs the tests. */
function passedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LD_LIBRARY_PATH'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function defaultDatabase(): 'embedded' | 'shared' {
  return process.env['TEST_DATABASE_URL'] ? 'shared' : 'embedded';
}

function queueSettings(folder: string): Record<string, string> {
  const redisUrl = inject('redisUrl');
  return redisUrl === null ? {} : { REDIS_URL: redisUrl, QUEUE_PREFIX: path.basename(folder) };
}
