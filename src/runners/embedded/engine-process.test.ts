import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { childEntry } from '../../platform/child-entry.js';
import { until } from '../../../tests/support/wait.js';

describe('engine process', () => {
  let folder: string;
  const engines: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'engine-process-'));
  });

  afterEach(async () => {
    // A vanished process is what the tests want.
    for (const engine of engines.splice(0)) engine.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  /** @param preload a module that runs in the engine's process before it does */
  const startEngine = (preload?: string) => {
    const { script, execArgv } = childEntry('./engine-process', import.meta.url);
    const flags = preload === undefined ? execArgv : [...execArgv, '--import', preload];
    const engine = fork(script, ['1'], {
      execArgv: flags,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    engines.push(engine);
    return { engine, ended: once(engine, 'exit'), stderr: text(engine.stderr!) };
  };

  it('ends when its runner goes away while it is still loading', async () => {
    const { engine, ended, stderr } = startEngine();
    engine.disconnect();
    expect(await ended).toEqual([0, null]);
    expect(await stderr).toBe('');
  });

  it('ends in order when its runner goes away just before it speaks', async () => {
    const isAboutToSpeak = join(folder, 'is-about-to-speak');
    const runnerIsGone = join(folder, 'runner-is-gone');
    const preload = join(folder, 'preload.mjs');
    // Holds the process still between its decision to send and the write into the channel.
    await writeFile(
      preload,
      `import { existsSync, writeFileSync } from 'node:fs';
       const send = process.send.bind(process);
       process.send = (...message) => {
         writeFileSync(${JSON.stringify(isAboutToSpeak)}, '');
         const pause = new Int32Array(new SharedArrayBuffer(4));
         while (!existsSync(${JSON.stringify(runnerIsGone)})) Atomics.wait(pause, 0, 0, 10);
         return send(...message);
       };`,
    );
    const { engine, ended, stderr } = startEngine(preload);
    await until(() => existsSync(isAboutToSpeak), { what: 'the first word of the engine', deadline: 60_000 });
    engine.disconnect();
    await writeFile(runnerIsGone, '');
    expect(await ended).toEqual([0, null]);
    expect(await stderr).toBe('');
  });
});
