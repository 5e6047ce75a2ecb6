import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import dotenv from 'dotenv';
import { intensityOf, ownIntensity, type GridIntensity } from '../grid-intensity.js';
import type { RunnerSetting } from './runner-settings.js';
import { SETTINGS, type Setting, type SettingName, type Settings } from './config.schema.js';

/** The start stops here; `problems` holds one line for each thing to mend. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

export type DatabaseConfig =
  | { kind: 'embedded' }
  | {
      kind: 'external';
      host: string;
      port: number;
      username: string;
      password?: string;
      database: string;
      ssl: boolean;
    };

export type QueueConfig = { kind: 'postgres' } | { kind: 'redis'; url: string; prefix: string };

export interface Config {
  readonly settings: Settings;
  /** Absolute. */
  readonly dataDir: string;
  readonly privateKeyPath: string;
  readonly publicKeyPath: string;
  readonly previousPublicKeyPath: string;
  readonly secretsKeyPath: string;
  readonly receiptKeyPath: string;
  readonly database: DatabaseConfig;
  readonly queue: QueueConfig;
  readonly engineProcesses: number;
  /** Threads in each of them. */
  readonly engineThreads: number;
  /** Jobs a worker process works on at a time; null: as many as there are slots to be had. */
  readonly workerConcurrency: number | null;
  /** What the electricity of this installation stands for. */
  readonly gridIntensity: GridIntensity;
  /** Model servers that are set. */
  readonly runners: readonly RunnerSetting[];
  /** Whether this process has an engine of its own. */
  readonly hasEmbeddedEngine: boolean;
}

export interface ConfigSource {
  env: Record<string, string | undefined>;
  /** Folder that relative paths and `.env` are taken from. */
  cwd: string;
  /** Read `.env` in `cwd`; the environment wins over it. */
  readDotenv: boolean;
}

/**
 * Reads and checks every setting.
 * @throws ConfigError with one line per wrong value, unknown name in `.env`, or contradiction
 */
export function loadConfig(source: ConfigSource): Config {
  const file = source.readDotenv ? readDotenv(path.join(source.cwd, '.env')) : {};
  const problems = Object.keys(file)
    .filter((name) => !(name in SETTINGS))
    .map((name) => `${name}: there is no such setting (in .env)${suggestion(name)}`);

  const parsed: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS) as [SettingName, Setting][]) {
    const raw = given(source.env[name]) ?? given(file[name]) ?? setting.default;
    if (raw === undefined) continue;
    const result = setting.schema.safeParse(raw);
    if (result.success) parsed[name] = result.data;
    else
      problems.push(
        `${name}: ${result.error.issues[0]?.message ?? 'not valid'}${setting.secret ? '' : ` (is "${raw}")`}`,
      );
  }
  if (problems.length > 0) throw new ConfigError(problems);

  const settings = parsed as Settings;
  const runners = runnerList(settings);
  const engineProcesses = settings.ENGINE_PROCESSES ?? defaultEngineProcesses();
  return checked({
    settings,
    dataDir: path.resolve(source.cwd, settings.DATA_DIR),
    privateKeyPath: path.resolve(source.cwd, settings.JWT_PRIVATE_KEY_PATH),
    publicKeyPath: path.resolve(source.cwd, settings.JWT_PUBLIC_KEY_PATH),
    previousPublicKeyPath: path.resolve(source.cwd, settings.JWT_PREVIOUS_PUBLIC_KEY_PATH),
    secretsKeyPath: path.resolve(source.cwd, settings.SECRETS_KEY_PATH),
    receiptKeyPath: path.resolve(source.cwd, settings.RECEIPT_KEY_PATH),
    database: databaseConfig(settings),
    queue: queueConfig(settings),
    engineProcesses,
    engineThreads: settings.ENGINE_THREADS ?? defaultEngineThreads(engineProcesses),
    workerConcurrency: settings.WORKER_CONCURRENCY ?? null,
    gridIntensity: gridIntensity(settings),
    runners,
    hasEmbeddedEngine: settings.EMBEDDED_ENGINE === 'auto' ? runners.length === 0 : settings.EMBEDDED_ENGINE === 'on',
  });
}

/** The installation's own figure wins over that of its region. */
function gridIntensity({ CARBON_INTENSITY: own, CARBON_REGION: region }: Settings): GridIntensity {
  if (own !== undefined) return ownIntensity(own);
  const known = intensityOf(region);
  if (known !== null) return known;
  throw new ConfigError([
    `CARBON_REGION: no data for this region; use an ISO 3166-1 code of a country, WORLD, or set CARBON_INTENSITY (is "${region}")`,
  ]);
}

/** @throws ConfigError when FASTAPI_HOST is no host, or its runner is in the list too */
function runnerList({ FASTAPI_HOST: host, FASTAPI_PORT: port, RUNNERS = [] }: Settings): RunnerSetting[] {
  if (host === undefined) return RUNNERS;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url) || new URL(url).pathname !== '/' || /[@?#\s]/.test(host)) {
    throw new ConfigError([`FASTAPI_HOST: must be the name or address of a host (is "${host}")`]);
  }
  if (RUNNERS.some(({ name }) => name === FASTAPI_NAME)) {
    throw new ConfigError([`FASTAPI_HOST: RUNNERS has a runner "${FASTAPI_NAME}" too; leave one of them out`]);
  }
  return [{ name: FASTAPI_NAME, kind: 'fastapi', url, token: null, slots: null, models: null }, ...RUNNERS];
}

/** The runner that FASTAPI_HOST stands for. */
const FASTAPI_NAME = 'fastapi';

/** What an engine may need for the largest frames it takes. */
const ENGINE_MEMORY_BYTES = 1.5 * 2 ** 30;

/** Cores that the processes leave idle when all of them work, as far as memory goes. */
function defaultEngineThreads(processes: number): number {
  const most = Math.min(os.availableParallelism(), Math.floor(os.totalmem() / ENGINE_MEMORY_BYTES));
  return Math.max(1, Math.floor(most / processes));
}

/** One core stays for everything else; memory for as many has to be there too. */
function defaultEngineProcesses(): number {
  return Math.max(1, Math.min(os.availableParallelism() - 1, Math.floor(os.totalmem() / ENGINE_MEMORY_BYTES)));
}

function readDotenv(file: string): Record<string, string> {
  try {
    return dotenv.parse(readFileSync(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ConfigError([`.env cannot be read: ${(error as Error).message}`]);
  }
}

/** An empty variable counts as not given: that is how compose files and shells leave one out. */
function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}

function databaseConfig(settings: Settings): DatabaseConfig {
  if (settings.DATABASE_URL !== undefined) {
    const url = parseUrl('DATABASE_URL', settings.DATABASE_URL);
    const database = decodeURIComponent(url.pathname.slice(1));
    if (database === '') throw new ConfigError(['DATABASE_URL: the name of the database is missing']);
    return {
      kind: 'external',
      // A socket folder travels as ?host=/path, as libpq has it.
      host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname),
      port: url.port === '' ? 5432 : Number(url.port),
      username: url.username === '' ? 'postgres' : decodeURIComponent(url.username),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      database,
      ssl: sslWanted(url.searchParams.get('sslmode')),
    };
  }
  if (settings.DB_HOST === undefined) return { kind: 'embedded' };
  return {
    kind: 'external',
    host: settings.DB_HOST,
    port: settings.DB_PORT,
    username: settings.DB_USERNAME,
    ...(settings.DB_PASSWORD === undefined ? {} : { password: settings.DB_PASSWORD }),
    database: settings.DB_NAME,
    ssl: false,
  };
}

function sslWanted(mode: string | null): boolean {
  if (mode === null || mode === 'disable') return false;
  if (mode === 'require' || mode === 'verify-ca' || mode === 'verify-full') return true;
  throw new ConfigError([
    `DATABASE_URL: sslmode=${mode} is not supported; use disable, require, verify-ca or verify-full`,
  ]);
}

function queueConfig(settings: Settings): QueueConfig {
  const prefix = settings.QUEUE_PREFIX;
  if (settings.REDIS_URL !== undefined) {
    return { kind: 'redis', url: parseUrl('REDIS_URL', settings.REDIS_URL).href, prefix };
  }
  if (settings.REDIS_HOST === undefined) return { kind: 'postgres' };
  const url = new URL('redis://localhost');
  url.hostname = settings.REDIS_HOST;
  url.port = String(settings.REDIS_PORT);
  if (settings.REDIS_PASSWORD !== undefined) url.password = encodeURIComponent(settings.REDIS_PASSWORD);
  return { kind: 'redis', url: url.href, prefix };
}

function parseUrl(name: SettingName, value: string): URL {
  try {
    return new URL(value);
  } catch {
    throw new ConfigError([`${name}: is not a URL`]);
  }
}

function checked(config: Config): Config {
  const { settings } = config;
  const problems: string[] = [];
  if (settings.BCRYPT_COST < 10 && settings.NODE_ENV !== 'test') {
    problems.push(`BCRYPT_COST: must be at least 10 outside of tests (is "${settings.BCRYPT_COST}")`);
  }
  if (settings.ADMIN_PASSWORD !== undefined && Buffer.byteLength(settings.ADMIN_PASSWORD) > 72) {
    problems.push('ADMIN_PASSWORD: has more than the 72 bytes that bcrypt reads');
  }
  const keyPaths = [config.privateKeyPath, config.publicKeyPath, config.previousPublicKeyPath];
  if (new Set(keyPaths).size < keyPaths.length) {
    problems.push(
      'JWT_PRIVATE_KEY_PATH, JWT_PUBLIC_KEY_PATH, JWT_PREVIOUS_PUBLIC_KEY_PATH: must differ from each other',
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function suggestion(name: string): string {
  const near = Object.keys(SETTINGS).find((known) => editDistance(known, name.toUpperCase()) <= 2);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(previous[column] + 1, current[column - 1] + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length];
}
