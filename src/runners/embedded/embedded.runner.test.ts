import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import { buildRunInput, runContext } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { childEntry } from '../../platform/child-entry.js';
import { RunnerCancelledError, RunnerTimeoutError } from '../runner.errors.js';
import { createRunner, RUNNER_KINDS } from '../runner.registry.js';
import { createEmbeddedRunner, type EmbeddedRunner, type EmbeddedRunnerOptions } from './embedded.runner.js';

describe('createEmbeddedRunner', () => {
  let folder: string;
  let golden: GoldenCaseFiles;
  const opened: EmbeddedRunner[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedded-runner-'));
    golden = await loadGoldenCase('dev-a-translate-xy');
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((runner) => runner.close()));
    expect((await readdir(folder)).filter((name) => !name.endsWith('.zip'))).toEqual([]);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const openRunner = (options: Partial<EmbeddedRunnerOptions> = {}) => {
    const runner = createEmbeddedRunner({
      logger: silentLogger,
      processes: 1,
      version: '1.2.3',
      ...options,
    });
    opened.push(runner);
    return runner;
  };
  const shortJob = () => buildRunInput(golden, folder, { parameters: { endFrame: 0 } });
  const longJob = () => buildRunInput(golden, folder, { parameters: { endFrame: 59, frameStep: 1 } });

  it('starts no process before the first job and keeps it warm after', async () => {
    const runner = openRunner();
    expect(runner.pids()).toEqual([]);
    await runner.run(shortJob(), runContext());
    const [first] = runner.pids();
    await runner.run(shortJob(), runContext());
    expect(runner.pids()).toEqual([first]);
    expect(runner.describe().version).toBe('1.2.3');
  });

  it('hands over every row before its result', async () => {
    const rows: number[][] = [];
    const context = { ...runContext(), onRows: (more: readonly number[][]) => void rows.push(...more) };
    const job = buildRunInput(golden, folder, { parameters: { endFrame: 9, frameStep: 1 } });
    const { velocity } = await openRunner().run(job, context);
    expect(velocity).toHaveLength(10);
    expect(rows).toEqual(velocity);
  });

  it('replaces an engine after its share of jobs', async () => {
    const runner = openRunner({ jobsPerEngine: 1 });
    await runner.run(shortJob(), runContext());
    const [first] = runner.pids();
    await runner.run(shortJob(), runContext());
    await vi.waitFor(() => {
      expect(runner.pids()).not.toContain(first);
    }, 10_000);
  });

  it('starts a new engine when the idle one was killed', async () => {
    const runner = openRunner();
    await runner.run(shortJob(), runContext());
    const [first] = runner.pids();
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => {
      expect(runner.pids()).toEqual([]);
    }, 10_000);
    await runner.run(shortJob(), runContext());
    expect(runner.pids()).not.toContain(first);
  });

  it('does not fail a job for an engine that died unnoticed while idle', async () => {
    const runner = openRunner();
    await runner.run(shortJob(), runContext());
    const [first] = runner.pids();
    process.kill(first, 'SIGKILL');
    // At once: this process has had no chance yet to hear of the death.
    await runner.run(shortJob(), runContext());
    expect(runner.pids()).not.toContain(first);
  });

  it('lets a job wait for a free process, and leave the line when it is cancelled', async () => {
    const runner = openRunner();
    const first = runner.run(shortJob(), runContext());
    const second = runner.run(shortJob(), runContext());
    const controller = new AbortController();
    const third = runner.run(shortJob(), { ...runContext(), signal: controller.signal });
    controller.abort();
    await expect(third).rejects.toBeInstanceOf(RunnerCancelledError);
    expect((await runner.health()).state).toBe('BUSY');
    await Promise.all([first, second]);
    expect(runner.pids()).toHaveLength(1);
    expect((await runner.health()).state).toBe('READY');
  });

  it('ends an engine that stopped reporting', async () => {
    const runner = openRunner({ stallTimeoutMs: 8000 });
    await runner.run(shortJob(), runContext());
    const [pid] = runner.pids();
    const job = runner.run(
      longJob(),
      runContext(() => process.kill(pid, 'SIGSTOP')),
    );
    await expect(job).rejects.toBeInstanceOf(RunnerTimeoutError);
    expect(runner.pids()).toEqual([]);
  });

  it('cancels within a second even when the engine cannot hear', async () => {
    const runner = openRunner();
    await runner.run(shortJob(), runContext());
    const [pid] = runner.pids();
    const controller = new AbortController();
    let abortedAt = NaN;
    const job = runner.run(longJob(), {
      signal: controller.signal,
      onProgress: () => {
        if (controller.signal.aborted) return;
        process.kill(pid, 'SIGSTOP');
        abortedAt = performance.now();
        controller.abort();
      },
    });
    await expect(job).rejects.toBeInstanceOf(RunnerCancelledError);
    // Promised is one second; a machine that runs tests on every core gets some slack.
    expect(performance.now() - abortedAt).toBeLessThan(3000);
  });

  it.runIf(process.platform === 'linux')('hides the environment from its engines', async () => {
    process.env.INFERNODE_TEST_SECRET = 'hidden';
    const runner = openRunner();
    await runner.run(shortJob(), runContext());
    delete process.env.INFERNODE_TEST_SECRET;
    const [pid] = runner.pids();
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('PATH=');
    expect(environment).not.toContain('INFERNODE_TEST_SECRET');
  });

  it('leaves no process behind when its own process is killed', async () => {
    const hostFolder = await mkdtemp(join(folder, 'killed-host-'));
    const { script, execArgv } = childEntry('../../../tests/support/runner-host', import.meta.url);
    const host = fork(script, [hostFolder], { execArgv, stdio: 'ignore' });
    const [[enginePid]] = (await once(host, 'message')) as [number[]];
    host.kill('SIGKILL');
    await vi.waitFor(() => {
      expect(() => process.kill(enginePid, 0)).toThrow(/ESRCH/);
    }, 10_000);
    await rm(hostFolder, { recursive: true });
  });

  it('refuses to exist without a process', () => {
    expect(() => openRunner({ processes: 0 })).toThrow(RangeError);
  });

  it('is made by the registry', () => {
    expect(RUNNER_KINDS).toContain('embedded');
    const options = { logger: silentLogger, processes: 2, version: '1' };
    expect(createRunner('embedded', options).describe()).toMatchObject({ kind: 'embedded', slots: 2 });
  });
});
