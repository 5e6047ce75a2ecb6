import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import { createContainer, type Container, type ContainerOverrides } from '../../src/composition/container.js';
import { loadConfig, type Config } from '../../src/platform/config/load-config.js';
import { QUEUE_SCHEMA, type DatabaseConnection } from '../../src/platform/database/connect.js';
import type { Logger } from '../../src/platform/logging/logger.js';
import { startHttp, startScheduler, startWorker } from '../../src/processes/start-parts.js';
import type { Resolve } from '../../src/platform/outbound/outbound-client.js';
import type { Runner } from '../../src/runners/runner.port.js';
import { ApiClient } from './api-client.js';
import { childProcesses } from './child-processes.js';
import { createScriptedRunner } from './scripted.runner.js';
import { silentLogger } from './silent-logger.js';
import { createTestDatabase, databaseUrl, dropTestDatabase, query } from './test-database.js';
import { until } from './wait.js';

type Part = 'http' | 'worker' | 'scheduler';

interface AppOptions {
  /** Default: all three. */
  parts?: readonly Part[];
  /** Default: a scripted one that computes nothing. `embedded`: the real engine. */
  runner?: Runner | 'embedded';
  /**
   * Model servers by name, which settings put in; the app has no engine of its own then, unless `runner` says so. Their
   * clients are these, whatever their address.
   */
  runners?: Readonly<Record<string, Runner>>;
  /** Clients of model servers that are added while the app runs, by name. */
  runnersToAdd?: Readonly<Record<string, Runner>>;
  /** On top of those for tests, as they would stand in the environment. */
  settings?: Record<string, string>;
  /** Works on the database, files and queue of this app, as a second process of one installation would. */
  beside?: App;
  /** What is tested is one process: it gets no second one beside it, also with TEST_TWINS. */
  alone?: boolean;
  /** Finds the addresses of receivers of webhooks; default: the system. */
  resolve?: Resolve;
  logger?: Logger;
}

/** The real application in this process. */
export interface App {
  /** Without a slash at its end. Only with the part `http`. */
  readonly baseUrl: string;
  readonly container: Container;
  readonly config: Config;
  client(token?: string): ApiClient;
  /** One statement on the app's database. */
  sql<Row extends object>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Ends the app in order and removes what is its own. Safe to call again: same promise. */
  stop(): Promise<void>;
}

/** What several apps of one installation share. */
interface Premises {
  database: DatabaseConnection;
  folder: string;
  queuePrefix: string;
}

/** Every app gets a second one beside it, on the same database and files, and requests go to both in turn. */
const WITH_TWINS = process.env['TEST_TWINS'] === '1';

const premisesOf = new WeakMap<App, Premises>();

/**
 * Starts the application as `infernode all` would, on a database, a folder and a queue of its own. `stop` ends it,
 * removes all three (unless it runs beside another), and rejects when a child process is left over.
 */
export async function startApp(options: AppOptions = {}): Promise<App> {
  const childrenBefore = new Set(await childProcesses());
  const shared = options.beside === undefined ? undefined : premisesOf.get(options.beside);
  const premises = shared ?? (await createPremises());
  const release = shared === undefined ? () => removePremises(premises) : () => Promise.resolve();
  try {
    const config = loadConfig({ env: environment(premises, options), cwd: premises.folder, readDotenv: false });
    const container = await createContainer(config, options.logger ?? silentLogger, overridesOf(options));
    const port = await startParts(container, options.parts ?? ['http', 'worker', 'scheduler']);
    const twins: App[] = [];
    const app = toApp({ container, config, port, premises, release, childrenBefore, twins });
    premisesOf.set(app, premises);
    if (WITH_TWINS && options.alone !== true && shared === undefined && port !== 0)
      twins.push(await startApp({ ...options, beside: app }));
    return app;
  } catch (error) {
    await release();
    throw error;
  }
}

async function createPremises(): Promise<Premises> {
  const database = await createTestDatabase(inject('databaseServer'), inject('templateDatabase'));
  const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-app-'));
  return { database, folder, queuePrefix: `test-${randomUUID()}` };
}

async function removePremises({ database, folder, queuePrefix }: Premises): Promise<void> {
  await dropTestDatabase(inject('databaseServer'), database.database);
  await rm(folder, { recursive: true, force: true });
  const redisUrl = inject('redisUrl');
  if (redisUrl !== null) await removeKeys(redisUrl, queuePrefix);
}

async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    for await (const keys of redis.scanStream({ match: `${prefix}:*` }) as AsyncIterable<string[]>) {
      if (keys.length > 0) await redis.unlink(...keys);
    }
  } finally {
    await redis.quit();
  }
}

function environment({ database, folder, queuePrefix }: Premises, { settings = {}, runner, runners }: AppOptions) {
  const redisUrl = inject('redisUrl');
  return {
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: databaseUrl(database),
    DB_POOL_SIZE: '6',
    DATA_DIR: path.join(folder, 'data'),
    JWT_PRIVATE_KEY_PATH: inject('signingKeys').privateKeyPath,
    JWT_PUBLIC_KEY_PATH: inject('signingKeys').publicKeyPath,
    BCRYPT_COST: '4',
    AUTH_RATE_LIMIT: '10000',
    RATE_LIMIT_PER_ADDRESS: '0',
    RATE_LIMIT_PER_USER: '0',
    JOB_LEASE: '2s',
    JOB_BACKOFF: '1s',
    RECONCILE_INTERVAL: '1s',
    SHUTDOWN_TIMEOUT: '3s',
    ENGINE_PROCESSES: '1',
    WORKER_CONCURRENCY: '4',
    RUNNER_CHECK_INTERVAL: '1s',
    ...(runners === undefined ? {} : { RUNNERS: JSON.stringify(Object.keys(runners).map(settingOf)) }),
    ...(runners !== undefined && runner !== undefined ? { EMBEDDED_ENGINE: 'on' } : {}),
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl, QUEUE_PREFIX: queuePrefix }),
    ...settings,
  };
}

const settingOf = (name: string) => ({ name, kind: 'fastapi', url: `http://${name}.test:8000` });

function overridesOf({ runner, runners, runnersToAdd, resolve }: AppOptions): ContainerOverrides {
  const isOwn = runner === 'embedded' || (runner === undefined && runners !== undefined);
  const named = { ...runners, ...runnersToAdd };
  return {
    ...(isOwn ? {} : { runner: runner ?? createScriptedRunner({ behaviour: {} }) }),
    ...(Object.keys(named).length === 0 ? {} : { makeRunner: ({ name }) => clientOf(name, named) }),
    ...(resolve === undefined ? {} : { resolve }),
  };
}

/** As often as one is made: what the rows have forgotten is closed, what the test holds goes on. */
function clientOf(name: string, named: Readonly<Record<string, Runner>>): Runner {
  const runner = named[name];
  if (runner === undefined) throw new Error(`The test has no runner "${name}"`);
  return { ...runner, close: () => Promise.resolve() };
}

async function startParts(container: Container, parts: readonly Part[]): Promise<number> {
  try {
    if (parts.includes('worker')) await startWorker(container);
    if (parts.includes('scheduler')) startScheduler(container);
    return parts.includes('http') ? await startHttp(container) : 0;
  } catch (error) {
    await container.lifecycle.stop();
    throw error;
  }
}

interface Started {
  container: Container;
  config: Config;
  /** 0 without the part `http`. */
  port: number;
  premises: Premises;
  release(): Promise<void>;
  childrenBefore: ReadonlySet<number>;
  /** Other apps of the same installation that end with this one; filled once it runs. */
  twins: readonly App[];
}

function toApp({ container, config, port, premises, release, childrenBefore, twins }: Started): App {
  const baseUrl = `http://127.0.0.1:${port}`;
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    try {
      await Promise.all([container, ...twins.map((twin) => twin.container)].map(({ lifecycle }) => lifecycle.stop()));
      await until(async () => (await childProcesses()).every((pid) => childrenBefore.has(pid)), {
        deadline: 5_000,
        what: 'the end of every child process of the app',
      });
    } finally {
      await release();
    }
  };
  return {
    baseUrl,
    container,
    config,
    client: (token) => new ApiClient(takeTurns([baseUrl, ...twins.map((twin) => twin.baseUrl)]), token),
    sql: (statement, values) => query(premises.database, statement, values),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

function takeTurns(baseUrls: readonly string[]): () => string {
  let turn = 0;
  return () => baseUrls[turn++ % baseUrls.length];
}

/** What a restored backup or an emptied Redis does: every entry of the queue is gone, the rows are there. */
export async function loseQueue(app: App): Promise<void> {
  const redisUrl = inject('redisUrl');
  if (redisUrl !== null) {
    const { queuePrefix } = premisesOf.get(app) as Premises;
    await removeKeys(redisUrl, queuePrefix);
    return;
  }
  await app.sql(`DELETE FROM ${QUEUE_SCHEMA}.job`);
}
