import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../../src/platform/logging/logger.js';

export const isRoot = process.getuid?.() === 0;
/** An ordinary user that owns nothing, on every Linux. */
export const NOBODY = 65534;

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

interface Reachable {
  connection: { host: string; port: number; username: string; database: string };
}

/** One statement on its own connection. */
export async function query(server: Reachable, sql: string): Promise<Record<string, unknown>[]> {
  const { username, ...rest } = server.connection;
  const client = new pg.Client({ ...rest, user: username, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

export interface LauncherReport {
  started?: boolean;
  pid?: number;
  connection: Reachable['connection'];
  error?: string;
  message?: string;
}

export interface Launcher {
  child: ChildProcess;
  /** What it said first. */
  report: LauncherReport;
}

/**
 * Runs `startEmbeddedPostgres` or `connectOrStartEmbeddedPostgres` in its own process, which reports in one line of JSON
 * and then stays until it is killed or its standard input ends (then it stops the server).
 */
export async function launchInChild(
  dataDir: string,
  options: { attach?: boolean; uid?: number; path?: string } = {},
): Promise<Launcher> {
  const folder = new URL('../../src/platform/database/embedded/', import.meta.url);
  const [file, name] = options.attach
    ? ['attach.ts', 'connectOrStartEmbeddedPostgres']
    : ['embedded-postgres.ts', 'startEmbeddedPostgres'];
  const source = `
    import { ${name} as launch } from ${JSON.stringify(new URL(file, folder).href)};
    const nothing = () => undefined;
    const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    try {
      const server = await launch({ dataDir: process.argv.at(-1), logger, startTimeoutMs: 30000 });
      console.log(JSON.stringify({ started: server.started, pid: server.pid, connection: server.connection }));
      process.stdin.resume();
      process.stdin.on('end', () => server.stop().then(() => process.exit(0)));
    } catch (error) {
      console.log(JSON.stringify({ error: error.name, message: error.message }));
    }
  `;
  const tsx = import.meta.resolve('tsx');
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '-e', source, '--', dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
    env: { ...process.env, PATH: options.path ?? process.env['PATH'] },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the launcher said nothing')));
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });
  return { child, report: JSON.parse(line) as LauncherReport };
}

export async function kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

/** Numbers of the live server processes whose command line names this folder; none where there is no /proc. */
export async function serversBelow(folder: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const found: number[] = [];
  for (const name of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readOr(path.join('/proc', name, 'cmdline'), '')).split('\0');
    const runs = path.basename(words[0] ?? '') === 'postgres' && words.some((word) => word.startsWith(folder));
    if (runs) found.push(Number(name));
  }
  return found;
}

export async function eventually(what: string, condition: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(20);
  }
}

async function readOr(file: string, otherwise: string): Promise<string> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch {
    return otherwise; // the process ended while we looked
  }
}
