import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { childEntry } from '../../../src/platform/child-entry.js';
import type { FastApiProgramOptions } from './fastapi-program.js';
import type { ServerCounters } from './fastapi-server.js';

/** A scripted model server as a process of its own. */
export class FastApiProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: URL,
  ) {}

  /** Starts it and waits until it listens. */
  static async start(options: Partial<FastApiProgramOptions> = {}): Promise<FastApiProcess> {
    const { script, execArgv } = childEntry('fastapi-program', import.meta.url);
    const all: FastApiProgramOptions = {
      slots: 4,
      msPerFrame: 0,
      port: 0,
      contract: 'full',
      faults: [],
      ...options,
    };
    const child = fork(script, [JSON.stringify(all)], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(child, 'exit').then(() => {
      throw new Error('The model server ended before it listened.');
    });
    const [address] = (await Promise.race([once(child, 'message'), ended])) as [string];
    ended.catch(() => undefined); // From here on its end is what tests are about.
    return new FastApiProcess(child, new URL(address));
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('The model server never started.');
    return this.child.pid;
  }

  get port(): number {
    return Number(this.url.port);
  }

  /** What it has seen since it was started. */
  async counters(): Promise<ServerCounters> {
    return (await (await fetch(new URL('_counters', this.url))).json()) as ServerCounters;
  }

  /** kill -9. Safe to call again. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
