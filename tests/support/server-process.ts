import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProcessRole } from '../../src/processes/role.js';
import { processTree, type ProcessInfo } from './process-tree.js';
import { until } from './wait.js';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const BUILT_MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 45_000;

/** What a process of each role says when it has started. */
const READY: Record<Exclude<ProcessRole, 'migrate'>, RegExp> = {
  all: /InferNode is ready: (\S+)\n/,
  api: /InferNode is ready: (\S+)\n/,
  worker: /Working/,
  scheduler: /Scheduling/,
};

export interface ServerProcessOptions {
  role: Exclude<ProcessRole, 'migrate'>;
  /** The whole environment of the process. */
  env: Record<string, string>;
  /** Working folder; `.env` is looked for there. */
  cwd: string;
  /** Run as this user instead of the own one (root only). */
  uid?: number;
  /** Run `dist`, which has to be there, instead of the source: its child processes start three times as fast. */
  built?: boolean;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface FinishedCommand extends Exit {
  stdout: string;
  stderr: string;
}

/** One real process of the server. */
export class ServerProcess {
  /** Where it listens; empty for roles that do not. */
  baseUrl = '';
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<Exit>;
  private output = '';
  private exit: Exit | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly role: ProcessRole,
  ) {
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    const keep = (text: string): void => void (this.output += text);
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
  }

  /** Starts a process and waits until it works. What does not get there is killed. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const script = options.built === true ? BUILT_MAIN : MAIN;
    const server = new ServerProcess(spawnMain([options.role], { ...options, script }), options.role);
    try {
      await server.waitUntilReady(READY[options.role]);
      return server;
    } catch (error) {
      await server.killTree();
      throw new Error(`infernode ${options.role} did not start:\n${server.output}`, { cause: error });
    }
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('The process never started.');
    return this.child.pid;
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  /** Everything the process has said. */
  get log(): string {
    return `--- ${this.role} ${this.child.pid ?? ''}\n${this.output}`;
  }

  tree(): Promise<ProcessInfo[]> {
    return processTree(this.pid);
  }

  /** The first child below it whose command line has these words, once there is one. */
  findChild(words: string): Promise<ProcessInfo> {
    return until(async () => (await this.tree()).find(({ command }) => command.includes(words)), {
      what: `a process "${words}" below ${this.pid}`,
    });
  }

  /** Asks for an orderly end. @throws Error unless the process ends in time with exit code 0 */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    const exit = await this.endsWithin(STOP_MS);
    if (exit.code !== 0) {
      throw new Error(`infernode ${this.role} ended with ${exit.code ?? exit.signal} after ${signal}:\n${this.output}`);
    }
  }

  /** kill -9 of this one process. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.endsWithin(STOP_MS);
  }

  /** kill -9 of this process and all below it, database included, as when the machine loses its power. */
  async killTree(): Promise<void> {
    for (const { pid } of await this.tree()) killHard(pid);
    await this.kill();
  }

  private endsWithin(milliseconds: number): Promise<Exit> {
    return until(() => this.exit, { deadline: milliseconds, what: `infernode ${this.role} has ended` });
  }

  private async waitUntilReady(sign: RegExp): Promise<void> {
    const found = await until(() => this.readySign(sign), { deadline: START_MS, what: 'it says that it is ready' });
    this.baseUrl = found[1] ?? '';
    if (this.baseUrl === '') return;
    const isHealthy = async (): Promise<boolean> => (await fetch(`${this.baseUrl}/api/health`)).ok;
    await until(isHealthy, { deadline: START_MS, what: 'its health is good' });
  }

  private readySign(sign: RegExp): RegExpExecArray | undefined {
    if (this.exit !== undefined) throw new Error(`It ended with ${this.exit.code ?? this.exit.signal}.`);
    return sign.exec(this.output) ?? undefined;
  }
}

export interface RunningCommand {
  child: ChildProcess;
  finished: Promise<FinishedCommand>;
}

/** Starts a command that ends by itself; one that does not is killed. */
export function startCommand(
  words: readonly string[],
  options: Pick<ServerProcessOptions, 'env' | 'cwd' | 'uid'> & { script?: string },
): RunningCommand {
  const child = spawnMain(words, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const guard = setTimeout(() => child.kill('SIGKILL'), START_MS);
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const finished = exit
    .finally(() => clearTimeout(guard))
    .then((ending): FinishedCommand => ({ ...ending, stdout, stderr }));
  return { child, finished };
}

/** Runs a command that ends by itself: `migrate`, or a server that cannot start. */
export function runToEnd(...command: Parameters<typeof startCommand>): Promise<FinishedCommand> {
  return startCommand(...command).finished;
}

/** kill -9; a process that has ended meanwhile is no error. */
export function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function spawnMain(
  words: readonly string[],
  { env, cwd, uid, script = MAIN }: Pick<ServerProcessOptions, 'env' | 'cwd' | 'uid'> & { script?: string },
): ChildProcess {
  const loader = script.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  return spawn(process.execPath, [...loader, script, ...words], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}
