import { createHash } from 'node:crypto';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import {
  startFastApiServer,
  type FastApiServer,
  type FastApiServerOptions,
} from '../../../tests/support/model-servers/fastapi-server.js';
import { buildRunInput, runContext } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { until } from '../../../tests/support/wait.js';
import { RunnerCancelledError } from '../runner.errors.js';
import type { RunInput, Runner, RunProgress } from '../runner.port.js';
import type { FastApiRunnerOptions } from './fastapi.options.js';
import { createFastApiRunner } from './fastapi.runner.js';

/** A runner promises to end within a second; this machine may have much else to do. */
const SOON_MS = 4_000;

let folder: string;
let golden: GoldenCaseFiles;
let ends: (() => Promise<void>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastapi-runner-'));
  golden = await loadGoldenCase('dev-a-translate-xy');
  ends = [() => rm(folder, { recursive: true })];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
});

async function start(
  serverOptions: FastApiServerOptions = {},
  options: Partial<FastApiRunnerOptions> = {},
): Promise<{ server: FastApiServer; runner: Runner }> {
  const server = await startFastApiServer(serverOptions);
  const runner = createFastApiRunner({ name: 'north', url: server.url, slots: 4, logger: silentLogger, ...options });
  ends.push(
    () => server.close(),
    () => runner.close(),
  );
  return { server, runner };
}

const job = (changes: Parameters<typeof buildRunInput>[2] = {}): RunInput => buildRunInput(golden, folder, changes);

describe('what a model server is told', () => {
  it('is the form of the contract, fields first, and both videos to the last byte', async () => {
    const { server, runner } = await start();
    const input = job({ attempt: 3, frameRate: 29.97, parameters: { useGpus: true, visualize: 'all' } });
    await runner.run(input, runContext());
    const { intrinsics, distance, goalFrame } = golden;
    expect(server.jobs[0].fields).toEqual({
      jobId: `${input.jobId}-3`,
      device: 'cuda:0',
      detector: 'ORB',
      goal_frame_idx: String(goalFrame),
      frame_step: '5',
      start_frame: '0',
      end_frame: '10',
      policy: 'ibvs',
      intrinsics: JSON.stringify(intrinsics),
      distance: String(distance),
      visualize: 'all',
      frame_rate: '29.97',
      model: 'cns',
    });
    for (const [field, path] of [
      ['goal_video', golden.goalVideoPath],
      ['current_video', golden.currentVideoPath],
    ]) {
      const content = await readFile(path);
      expect(server.jobs[0].files[field]).toEqual({
        filename: `${field}.mp4`,
        bytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
      });
    }
  });

  it('has the parameters of another model, and no frame rate that nobody knows', async () => {
    const { server, runner } = await start({ contract: 'legacy' }, { models: ['cns', 'gain-scheduled'] });
    const model = { name: 'gain-scheduled', version: '2', parameters: { gain: 0.5 } };
    await runner.run(job({ model, frameRate: null }), runContext());
    expect(server.jobs[0].fields).toMatchObject({ model: 'gain-scheduled', parameters: '{"gain":0.5}' });
    expect(server.jobs[0].fields).not.toHaveProperty('frame_rate');
  });

  it('is its own token, which does not show in what anybody reads', async () => {
    const { runner } = await start({ token: 'open-sesame' }, { token: 'open-sesame' });
    await expect(runner.run(job(), runContext())).resolves.toMatchObject({ device: 'cpu' });
    const { runner: stranger } = await start({ token: 'open-sesame' }, { token: 'abracadabra' });
    const refusal: unknown = await stranger.run(job(), runContext()).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'runner-refused' });
    expect(JSON.stringify(await stranger.health()) + String(refusal)).not.toContain('abracadabra');
    expect(await stranger.health()).toMatchObject({ state: 'UNHEALTHY', detail: expect.stringContaining('401') });
  });

  it('goes below the base of its address', async () => {
    const { server, runner } = await start();
    const below = createFastApiRunner({
      name: 'below',
      url: new URL('/models/north', server.url),
      slots: 1,
      logger: silentLogger,
    });
    ends.push(() => below.close());
    // Nothing is there: the first version has no /capabilities either, but /analyze.
    await expect(below.run(job(), runContext())).rejects.toMatchObject({ code: 'runner-refused' });
    await expect(runner.run(job(), runContext())).resolves.toBeDefined();
  });
});

describe('what a model server says', () => {
  it('becomes a result: rows, reports, device, weights, usage, energy', async () => {
    const { runner } = await start();
    const input = job({ parameters: { policy: 'cns', useGpus: true } });
    const result = await runner.run(input, runContext());
    const counts = { keypoints: 100, matches: 80, inliers: 60, featureErrorPx: 1, problem: null };
    expect(result).toEqual({
      velocity: [0, 5, 10].map((frame) => [0.01 * frame, 0, 0, 0, 0, 0.001 * frame]),
      frames: [0, 5, 10].map((frame) => ({ frame, ...counts })),
      goal: { frame: golden.goalFrame, keypoints: 100 },
      device: 'gpu',
      model: { name: 'cns', digest: `sha256:${'ab'.repeat(32)}` },
      usage: {
        wallSeconds: 1.5,
        cpuSeconds: 1.25,
        gpuSeconds: 0.5,
        energy: { method: 'measured', cpuWh: 0.01, gpuWh: 0.02, memoryWh: null, source: 'RAPL package-0, NVML' },
        reportedCarbonGrams: 0.125,
      },
      message: '3 frames by script.',
      warnings: [],
    });
  });

  it('may be no more than the first version had; what is unknown stays unknown, and is told', async () => {
    const { runner } = await start({ contract: 'legacy' });
    const result = await runner.run(job(), runContext());
    expect(result.velocity).toHaveLength(3);
    expect(result.frames[1]).toEqual({
      frame: 5,
      keypoints: null,
      matches: null,
      inliers: null,
      featureErrorPx: null,
      problem: null,
    });
    expect(result).toMatchObject({ goal: { keypoints: null }, device: 'cpu', model: null });
    expect(result.usage).toMatchObject({ energy: null, reportedCarbonGrams: 0.125 });
    expect(result.usage.wallSeconds).toBeGreaterThan(0);
    expect(result.warnings).toEqual([
      'The model server does not say which device it used; it was asked for "cpu".',
      expect.stringContaining('does not say whether it used the policy "ibvs"'),
    ]);
    expect(await runner.health()).toEqual({ state: 'READY' });
    expect(runner.describe()).toMatchObject({
      version: 'unknown',
      detectors: ['SIFT', 'ORB', 'AKAZE'],
      serves: ['cns'],
    });
  });

  it('a server without a GPU works on its CPU, which the result says', async () => {
    const { server, runner } = await start({ devices: ['cpu'] });
    const result = await runner.run(job({ parameters: { useGpus: true } }), runContext());
    expect(server.jobs[0].fields['device']).toBe('cpu');
    expect(result).toMatchObject({ device: 'cpu', warnings: ['The model server has no GPU: it worked on its CPU.'] });
  });

  it('describes it from its first answer on, and its slots are no more than it has', async () => {
    const digest = `sha256:${'cd'.repeat(32)}`;
    const { server, runner } = await start({ slots: 2, digest });
    expect(await runner.health()).toEqual({ state: 'READY' });
    expect(runner.describe()).toEqual({
      kind: 'fastapi',
      name: 'north',
      version: '1.2.3',
      detectors: ['SIFT', 'ORB', 'AKAZE', 'KAZE', 'BRISK'],
      policies: ['ibvs', 'cns'],
      models: { cns: { name: 'cns', digest } },
      device: 'gpu',
      serves: ['cns'],
      slots: 2,
    });
    server.setFault('not-ready');
    expect(await runner.health()).toMatchObject({ state: 'STARTING' });
  });

  it('decides what it is asked for at all', async () => {
    const { server, runner } = await start({ maxUploadBytes: 1000 });
    await expect(runner.run(job(), runContext())).rejects.toMatchObject({ code: 'runner-refused' });
    const { runner: other } = await start({ contract: 'legacy' }, { policies: ['cns'], detectors: ['ORB'] });
    const outcomes = [
      job(),
      job({ parameters: { policy: 'cns', detector: 'ORB+SIFT:02' } }),
      job({ parameters: { policy: 'cns' }, model: { name: 'other', version: '1', parameters: {} } }),
    ].map((input) => other.run(input, runContext()));
    await expect(outcomes[0]).rejects.toMatchObject({ message: expect.stringContaining('the policy "ibvs"') });
    await expect(outcomes[1]).rejects.toMatchObject({ message: expect.stringContaining('the detector "ORB+SIFT:02"') });
    await expect(outcomes[2]).rejects.toMatchObject({ message: expect.stringContaining('the model "other"') });
    expect(server.counters.analyses).toBe(0);
  });
});

describe('while a model server works', () => {
  it('rows come in order and each once, before the progress that counts them', async () => {
    const { runner } = await start({ msPerFrame: 60 });
    const input = job({ parameters: { endFrame: 19, frameStep: 1 } });
    const rows: number[][] = [];
    const seen: RunProgress[] = [];
    const result = await runner.run(input, {
      signal: new AbortController().signal,
      onRows: (more) => void rows.push(...more),
      onProgress: (progress) => {
        expect(rows.length).toBeGreaterThanOrEqual(progress.processed);
        seen.push(progress);
      },
    });
    expect(rows).toEqual(result.velocity);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen[0]).toEqual({ processed: 0, total: 20 });
    expect(seen.at(-1)).toEqual({ processed: 20, total: 20 });
    const processed = seen.map((progress) => progress.processed);
    expect(processed).toEqual([...processed].sort((a, b) => a - b));
    expect(result.warnings).toEqual([]);
  });

  it('rows that are others in the result are told of as a warning; the result counts', async () => {
    const { runner } = await start({ msPerFrame: 60, fault: 'wrong-rows' });
    const rows: number[][] = [];
    const context = { ...runContext(), onRows: (more: readonly number[][]) => void rows.push(...more) };
    const result = await runner.run(job({ parameters: { endFrame: 19, frameStep: 1 } }), context);
    expect(result.velocity[1][0]).toBeCloseTo(0.01);
    expect(result.warnings).toEqual([expect.stringContaining('differ from those of its result')]);
  });

  it('a progress that makes no sense costs nothing but the progress', async () => {
    const { runner } = await start({ msPerFrame: 60, fault: 'wrong-progress' });
    const seen: number[] = [];
    await runner.run(
      job({ parameters: { endFrame: 9, frameStep: 1 } }),
      runContext(({ processed }) => seen.push(processed)),
    );
    expect(seen).toEqual([0, 10]);
  });
});

describe('a cancelled job', () => {
  /** Cancels in the middle of the frames. @returns how it ended, and how long that took */
  const cancelMidway = async (server: FastApiServer, runner: Runner) => {
    const input = job({ parameters: { endFrame: golden.currentFrameCount - 1, frameStep: 1 } });
    const controller = new AbortController();
    const run = runner.run(input, { signal: controller.signal, onProgress: () => undefined });
    const ended = run.catch((error: unknown) => error);
    await server.untilStage('midway', input.jobId);
    const abortedAt = performance.now();
    const abortedDate = new Date();
    controller.abort();
    const error = await ended;
    expect(error).toBeInstanceOf(RunnerCancelledError);
    await expect(access(input.archivePath)).rejects.toMatchObject({ code: 'ENOENT' });
    return { stop: (error as RunnerCancelledError).stop, milliseconds: performance.now() - abortedAt, abortedDate };
  };

  it('has stopped when the server says so, and the server says when', async () => {
    const { server, runner } = await start({ msPerFrame: 50 });
    const { stop, abortedDate } = await cancelMidway(server, runner);
    expect(stop).toEqual({ by: 'server', stoppedAt: server.jobs[0].stoppedAt });
    expect(stop!.stoppedAt.getTime()).toBeGreaterThanOrEqual(abortedDate.getTime());
    expect(server.jobs[0].state).toBe('CANCELLED');
    expect(server.counters.cancels).toBe(1);
  });

  it('is over within a second although the server takes five, or never says anything', async () => {
    for (const fault of ['slow-cancel', 'lost-cancel'] as const) {
      const { server, runner } = await start({ msPerFrame: 50, fault });
      const { stop, milliseconds } = await cancelMidway(server, runner);
      expect(stop).toMatchObject({ by: 'connection' });
      expect(milliseconds).toBeLessThan(SOON_MS);
      // The connection was closed, and that stops the work as well.
      await until(() => server.jobs[0].isOver, { what: 'the server has stopped' });
      await runner.close();
    }
  });

  it('may have been faster than the wish; the server’s word counts as evidence', async () => {
    const { server, runner } = await start({ msPerFrame: 50, fault: 'completes-on-cancel' });
    const { stop } = await cancelMidway(server, runner);
    expect(stop).toMatchObject({ by: 'server' });
    expect(server.jobs[0].state).toBe('COMPLETED');
  });

  it('on a server of the first version is stopped by closing the connection', async () => {
    const { server, runner } = await start({ msPerFrame: 50, contract: 'legacy' });
    const { stop } = await cancelMidway(server, runner);
    expect(stop).toMatchObject({ by: 'connection' });
    await until(() => server.jobs[0].state === 'CANCELLED', { what: 'the server has stopped' });
  });

  it('of which nothing has reached the server was never begun', async () => {
    const { server, runner } = await start();
    const controller = new AbortController();
    const run = runner.run(job(), { signal: controller.signal, onProgress: () => undefined });
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: 'runner-cancelled', stop: null });
    expect(server.counters.analyses).toBe(0);
  });
});

describe('jobs at the same time', () => {
  it('get their own results, and the one beyond the slots of the server is told so', async () => {
    const { server, runner } = await start({ slots: 2, msPerFrame: 50 });
    const inputs = [0, 1].map((startFrame) => job({ parameters: { startFrame } }));
    const runs = inputs.map((input) => runner.run(input, runContext()));
    for (const { jobId } of inputs) await server.untilStage('accepted', jobId);
    await expect(runner.run(job(), runContext())).rejects.toMatchObject({
      code: 'runner-busy',
      retryAfterSeconds: 7,
    });
    expect(await runner.health()).toEqual({ state: 'BUSY' });
    const frames = (await Promise.all(runs)).map((result) => result.frames.map(({ frame }) => frame));
    expect(frames).toEqual([
      [0, 5, 10],
      [1, 6],
    ]);
    expect(server.counters).toMatchObject({ peak: 2, completed: 2, refused: 1 });
  });

  it('a crash ends them all as crashed; whoever comes next meets the server that is back', async () => {
    const { server, runner } = await start({ msPerFrame: 50, contract: 'legacy' });
    const inputs = [job(), job()];
    const runs = inputs.map((input) => runner.run(input, runContext()).catch((error: unknown) => error));
    for (const { jobId } of inputs) await server.untilStage('accepted', jobId);
    server.crash();
    for (const outcome of await Promise.all(runs)) expect(outcome).toMatchObject({ code: 'runner-crashed' });
    await expect(runner.run(job(), runContext())).resolves.toBeDefined();
  });
});
