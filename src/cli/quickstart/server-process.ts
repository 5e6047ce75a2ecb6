import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { childEntry } from '../../platform/child-entry.js';
import { STOP_SIGNAL } from './stop-signal.js';

interface ServerOptions {
  env: NodeJS.ProcessEnv;
  /** Everything the server logs goes here. */
  logPath: string;
  /** Lines a person should see: warnings, errors, and why it does not start. */
  onWarning(line: string): void;
}

export interface ServerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const TAIL_LINES = 15;
const READY = /^InferNode is ready: /m;
/** Both log formats, and what `main` says when it cannot start. */
const WARNING = /^[\d:.]{12} (WARN|ERROR)|"level":"(warn|error)"|^infernode: /;

/** The whole server (`main all`) as a child, in a process group of its own: Ctrl-C reaches it through us alone. */
export class ServerProcess {
  /** Resolves when the process is gone, also when it never started. */
  readonly exited: Promise<ServerExit>;
  private readonly child: ChildProcess;
  private readonly log: WriteStream;
  private readonly lastLines: string[] = [];
  private announcementText = '';
  private onAnnounced: () => void = () => undefined;
  private readonly announced = new Promise<void>((resolve) => {
    this.onAnnounced = resolve;
  });

  constructor(private readonly options: ServerOptions) {
    const main = childEntry('../../main', import.meta.url);
    const watch = childEntry('./parent-watch', import.meta.url);
    this.log = createWriteStream(options.logPath, { flags: 'a', mode: 0o600 });
    this.log.on('error', (error) => options.onWarning(`The server's log cannot be written: ${error.message}`));
    this.child = spawn(
      process.execPath,
      [...main.execArgv, '--import', pathToFileURL(watch.script).href, main.script, 'all'],
      { env: options.env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true },
    );
    this.exited = this.watchExit();
    this.readOutput();
  }

  /** What the server says to the person at the terminal; the first administrator's password stands here and nowhere else. */
  get announcement(): string {
    return this.announcementText.trimEnd();
  }

  /** The end of the log. */
  get tail(): string {
    return this.lastLines.join('\n');
  }

  /** Waits until the server says that it is ready. @throws Error when it ends instead, or takes too long */
  async ready(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.aborted ? signal.reason : new Error(`The server was not ready within ${timeoutMs / 1000} s.`));
      };
      limit.addEventListener('abort', onAbort, { once: true });
      if (limit.aborted) onAbort();
      this.announced.then(resolve, reject);
      this.exited.then(
        (exit) => reject(new Error(`The server ended instead of starting (${describeExit(exit)}).`)),
        reject,
      );
      void this.announced.finally(() => limit.removeEventListener('abort', onAbort));
    });
  }

  /** SIGTERM, and SIGKILL when it has not ended by then. */
  async stop(timeoutMs: number): Promise<ServerExit> {
    const force = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    this.child.kill(STOP_SIGNAL);
    const exit = await this.exited;
    clearTimeout(force);
    return exit;
  }

  private async watchExit(): Promise<ServerExit> {
    const exit = await new Promise<ServerExit>((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }));
      this.child.once('error', (error) => {
        this.options.onWarning(`The server could not be started: ${error.message}`);
        if (this.child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    await new Promise<void>((resolve) => this.log.end(() => resolve()));
    return exit;
  }

  private readOutput(): void {
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('The server has no output to read.');
    stdout.setEncoding('utf8').on('data', (text: string) => {
      this.announcementText += text;
      if (READY.test(this.announcementText)) this.onAnnounced();
    });
    createInterface({ input: stderr }).on('line', (line) => {
      this.log.write(`${line}\n`);
      this.lastLines.push(line);
      if (this.lastLines.length > TAIL_LINES) this.lastLines.shift();
      if (WARNING.test(line)) this.options.onWarning(line);
    });
  }
}

export function describeExit({ code, signal }: ServerExit): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : signal;
}
