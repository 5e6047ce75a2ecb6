import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError, loadConfig, type Config } from '../platform/config/load-config.js';
import { acquireDataDirectory, DataDirectoryInUseError } from '../platform/data-directory.js';
import { ApiError } from '../sdk/api-error.js';
import { createClient } from '../sdk/client.js';
import { findProblems } from './quickstart/checks.js';
import { choosePort, isPortExplicit } from './quickstart/choose-port.js';
import { InterruptedError, watchForInterruption } from './interruption.js';
import { HELP, parseOptions, type QuickstartOptions } from './quickstart/options.js';
import { reportTour } from './quickstart/report.js';
import { loadSample } from '../runners/servo-sample.js';
import { describeExit, ServerProcess } from './quickstart/server-process.js';
import { formatSeconds, Terminal } from './terminal.js';
import { takeTour, type Account } from './quickstart/tour.js';

/** sysexits.h: EX_USAGE, EX_CONFIG; a shell's code for a command that Ctrl-C ended. */
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;
const EXIT_INTERRUPTED = 130;
/** The first start creates the database. */
const READY_TIMEOUT_MS = 120_000;
/** What a server may need beyond its own SHUTDOWN_TIMEOUT. */
const STOP_GRACE_MS = 10_000;

/** `npm run quickstart`: the whole server, and a first inference on it. */
async function main(args: readonly string[]): Promise<number> {
  let options: QuickstartOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return EXIT_USAGE;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const terminal = new Terminal(process.stdout, process.env);
  const interruption = watchForInterruption(process.env);
  try {
    const config = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
    return await runQuickstart(config, options, terminal, interruption.signal);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) terminal.line(terminal.red(problem));
      return EXIT_CONFIG;
    }
    describeFailure(error, terminal);
    return error instanceof InterruptedError ? EXIT_INTERRUPTED : 1;
  } finally {
    interruption.end();
  }
}

async function runQuickstart(
  config: Config,
  options: QuickstartOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  terminal.line(terminal.bold('InferNode quickstart'));
  await refuseBusyDataDirectory(config);
  const { PORT, HOST } = config.settings;
  const chosen = await choosePort(PORT, HOST, isPortExplicit(process.env, path.resolve('.env')));
  if (chosen.taken !== null) terminal.line(`Port ${chosen.taken} is taken; using ${chosen.port} instead.`);
  terminal.line();

  const home = path.join(config.dataDir, 'quickstart');
  const folder = path.join(home, new Date().toISOString().replaceAll(':', '-').slice(0, 19));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const logPath = path.join(home, 'server.log');
  const server = new ServerProcess({
    env: { ...process.env, PORT: String(chosen.port) },
    logPath,
    onWarning: (line) => terminal.line(`  ${terminal.yellow('!')} ${line}`),
  });
  let code: number;
  try {
    code = await tourAndStay(server, { config, options, terminal, signal, folder, port: chosen.port });
  } catch (error) {
    describeFailure(error, terminal);
    code = error instanceof InterruptedError ? EXIT_INTERRUPTED : 1;
    if (code === 1) describeLog(server, logPath, terminal);
  }
  const stopped = await stopServer(server, config, terminal);
  return code === 0 && !stopped ? 1 : code;
}

interface Setting {
  config: Config;
  options: QuickstartOptions;
  terminal: Terminal;
  signal: AbortSignal;
  folder: string;
  port: number;
}

async function tourAndStay(server: ServerProcess, setting: Setting): Promise<number> {
  const { config, options, terminal, folder, port } = setting;
  const crash = new AbortController();
  void server.exited.then((exit) => crash.abort(new Error(`The server has ended by itself (${describeExit(exit)}).`)));
  const signal = AbortSignal.any([setting.signal, crash.signal]);

  const sample = await loadSample();
  const client = createClient({ baseUrl: `http://${reachable(config.settings.HOST)}:${port}` });
  await terminal.step('Server', async () => {
    await server.ready(READY_TIMEOUT_MS, setting.signal);
    await client.getHealth({ signal });
    return { value: undefined, detail: `listening on port ${port}` };
  });
  const adminLines = server.announcement.split('\n').filter((line) => /administrator|password/i.test(line));
  for (const line of adminLines) terminal.line(terminal.bold(`  ${line}`));

  const outcome = await takeTour({ client, sample, folder, terminal, signal });
  reportTour(outcome, sample, terminal);
  const problems = findProblems(outcome, sample);
  if (problems.length > 0) throw new Error(['Not everything is as it should be:', ...problems].join('\n'));

  if (options.exit) return 0;
  explainWhatNow(port, outcome.account, adminLines, terminal);
  await untilAborted(signal);
  if (crash.signal.aborted) throw crash.signal.reason;
  return 0;
}

/** The server would notice too, but its message could not say what to do. Servers with a shared database share the folder. */
async function refuseBusyDataDirectory(config: Config): Promise<void> {
  if (config.database.kind !== 'embedded') return;
  try {
    const directory = await acquireDataDirectory(config.dataDir, { owner: 'quickstart' });
    await directory.release();
  } catch (error) {
    if (!(error instanceof DataDirectoryInUseError)) throw error;
    throw new Error(`${error.message}\nStop that one (Ctrl-C in its terminal), or set DATA_DIR to another folder.`, {
      cause: error,
    });
  }
}

/** @returns whether it ended by itself, in time, with 0 */
async function stopServer(server: ServerProcess, config: Config, terminal: Terminal): Promise<boolean> {
  terminal.line();
  terminal.line('Stopping the server …');
  const start = performance.now();
  const exit = await server.stop(config.settings.SHUTDOWN_TIMEOUT * 1000 + STOP_GRACE_MS);
  const seconds = formatSeconds((performance.now() - start) / 1000);
  const isClean = exit.code === 0;
  terminal.line(
    isClean ? `It has stopped (${seconds}).` : terminal.red(`It did not stop cleanly (${describeExit(exit)}).`),
  );
  return isClean;
}

function explainWhatNow(
  port: number,
  { email, password }: Account,
  adminLines: readonly string[],
  terminal: Terminal,
): void {
  const base = `http://localhost:${port}`;
  terminal.heading(`The server goes on running: ${base}`);
  terminal.field('Swagger UI', `${base}/api/docs`);
  terminal.field('Log in', `POST /api/auth/login, then “Authorize” with the token it gives`);
  terminal.field('Account', email);
  terminal.field('Password', password);
  for (const line of adminLines) terminal.line(line);
  terminal.line();
  terminal.line(`  ${terminal.bold('Ctrl-C')} stops it. What it holds stays in the data directory.`);
}

function describeFailure(error: unknown, terminal: Terminal): void {
  terminal.line();
  if (error instanceof InterruptedError) {
    terminal.line(`Interrupted (${error.message}).`);
    return;
  }
  terminal.line(terminal.red(error instanceof Error ? error.message : String(error)));
  if (!(error instanceof ApiError) || error.problem === null) return;
  terminal.line(`  ${error.problem.status} ${error.problem.title}; request ${error.problem.requestId}`);
  for (const { path: field, message } of error.problem.errors) terminal.line(`  ${field}: ${message}`);
}

function describeLog(server: ServerProcess, logPath: string, terminal: Terminal): void {
  terminal.heading(`End of the server's log (${logPath})`);
  terminal.line(terminal.dim(server.tail));
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

process.exitCode = await main(process.argv.slice(2));
