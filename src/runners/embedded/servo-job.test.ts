import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import { fixture } from '../../../tests/support/build.js';
import { buildRunInput } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { readZip } from '../../../tests/support/zip-content.js';
import { threadEntry } from '../../platform/child-entry.js';
import { createVideoDecoder } from '../../platform/media/create-video-decoder.js';
import {
  RunnerCancelledError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerStorageError,
  RunnerUnavailableError,
} from '../runner.errors.js';
import type { RunInput } from '../runner.port.js';
import { runServoJob } from './servo-job.js';
import { GoalCache } from './observers/goal-cache.js';
import { ObserverWorker } from './observers/observer-worker.js';
import { ThreadedObservers } from './observers/threaded-observers.js';
import { createServoPipeline } from './pipeline.js';

const servoFixture = (name: string) => fileURLToPath(new URL(`../../../tests/fixtures/servo/${name}`, import.meta.url));

const ignore = () => undefined;
const observers = new ThreadedObservers(2);
const deps = {
  decoder: createVideoDecoder({ logger: silentLogger }),
  createPipeline: createServoPipeline,
  observers,
  goals: new GoalCache(2 ** 24),
  picturesMaxBytes: Infinity,
};

describe('runServoJob', () => {
  let folder: string;
  let golden: GoldenCaseFiles;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'servo-job-'));
    golden = await loadGoldenCase('dev-a-translate-xy');
  });

  afterAll(async () => {
    observers.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (input: RunInput, signal = new AbortController().signal) =>
    runServoJob(input, deps, {
      signal,
      onProgress: ignore,
      onRow: ignore,
      onAlive: ignore,
    });

  const problemsOf = async (input: RunInput) => {
    const result = await run(input);
    for (const [row, { problem }] of result.frames.entries()) {
      expect(result.velocity[row].every(Number.isFinite)).toBe(true);
      if (problem !== null) expect(result.velocity[row]).toEqual([0, 0, 0, 0, 0, 0]);
    }
    return { result, problems: result.frames.map(({ problem }) => problem) };
  };

  it('gives zero velocity and a reason for blank frames of another size than the goal', async () => {
    const { result, problems } = await problemsOf(
      buildRunInput(golden, folder, {
        currentVideoPath: servoFixture('blank.mp4'),
        parameters: { endFrame: 5, frameStep: 1, visualize: 'all' },
      }),
    );
    expect(problems).toEqual(Array(6).fill('blank-frame'));
    expect(result.message).toContain('0 of 6');
  });

  it('goes on after blank frames in the middle', async () => {
    const { problems } = await problemsOf(
      buildRunInput(golden, folder, {
        currentVideoPath: servoFixture('flicker.mp4'),
        parameters: { endFrame: 7, frameStep: 1 },
      }),
    );
    expect(problems.slice(3, 6)).toEqual(Array(3).fill('blank-frame'));
    expect([...problems.slice(0, 3), ...problems.slice(6)]).toEqual(Array(5).fill(null));
  });

  it('counts frames beyond the end of the video as unreadable', async () => {
    const { result, problems } = await problemsOf(
      buildRunInput(golden, folder, {
        currentVideoPath: servoFixture('flicker.mp4'),
        parameters: { startFrame: 1, endFrame: 13, frameStep: 3 },
      }),
    );
    expect(result.frames.map(({ frame }) => frame)).toEqual([1, 4, 7, 10, 13]);
    expect(problems).toEqual([null, 'blank-frame', null, 'unreadable-frame', 'unreadable-frame']);
    expect(result.warnings.join()).toContain('could not be read to the end');
  });

  it('keeps what it had computed when the rest of the video is damaged', async () => {
    const damaged = join(folder, 'damaged.mp4');
    const content = await readFile(servoFixture('flicker.mp4'));
    await writeFile(damaged, content.fill(0, content.length - 1000));
    const { problems } = await problemsOf(
      buildRunInput(golden, folder, {
        currentVideoPath: damaged,
        parameters: { endFrame: 7, frameStep: 1 },
      }),
    );
    await rm(damaged);
    expect(problems).toHaveLength(8);
    expect(problems[0]).toBeNull();
    expect(problems.at(-1)).toBe('unreadable-frame');
  });

  it('loses only the frames that damage in the middle of the video hit', async () => {
    const damaged = join(folder, 'damaged-middle.mp4');
    const content = await readFile(golden.currentVideoPath);
    const middle = Math.floor(content.length / 2);
    await writeFile(damaged, content.fill(0xa5, middle, middle + 3000));
    const parameters = { endFrame: 59, frameStep: 1 };
    const { problems, result } = await problemsOf(
      buildRunInput(golden, folder, { currentVideoPath: damaged, parameters }),
    );
    await rm(damaged);
    expect(problems).toHaveLength(60);
    const lost = problems.flatMap((problem, frame) => (problem === 'unreadable-frame' ? [frame] : []));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(10);
    expect(Math.max(...lost)).toBeLessThan(50);
    expect(problems.slice(0, lost[0])).toEqual(problems.slice(0, lost[0]).map(() => null));
    expect(problems.at(-1)).toBeNull();
    expect(result.warnings).toEqual([]);
  });

  it('refuses a goal frame that damage has taken', async () => {
    const damaged = join(folder, 'damaged-goal.avi');
    const content = await readFile(fixture('media/mjpeg.avi'));
    const second = content.indexOf(
      Buffer.from([0xff, 0xd8, 0xff]),
      content.indexOf(Buffer.from([0xff, 0xd8, 0xff])) + 1,
    );
    await writeFile(damaged, content.fill(0, second, second + 400));
    const input = buildRunInput(golden, folder, { goalVideoPath: damaged, parameters: { goalFrameId: 1 } });
    await expect(run(input)).rejects.toThrow('its frame 1 cannot be decoded');
    await rm(damaged);
  });

  it('says that a GPU was asked for in vain', async () => {
    const result = await run(buildRunInput(golden, folder, { parameters: { endFrame: 0, useGpus: true } }));
    expect(result.device).toBe('cpu');
    expect(result.warnings).toEqual(['The embedded engine uses no GPU: the job ran on the CPU.']);
  });

  it('counts the decoder into the CPU time', async () => {
    const { usage } = await run(buildRunInput(golden, folder));
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expect(usage.wallSeconds).toBeGreaterThan(0);
  });

  describe('rejects and leaves nothing behind', () => {
    const expectRejection = async (input: RunInput, kind: new (message: string) => Error, signal?: AbortSignal) => {
      const before = await readdir(folder);
      await expect(run(input, signal)).rejects.toBeInstanceOf(kind);
      expect(await readdir(folder)).toEqual(before);
    };

    it('a blank goal frame', async () => {
      const goalVideoPath = servoFixture('blank.mp4');
      const parameters = { goalFrameId: 2 };
      await expectRejection(buildRunInput(golden, folder, { goalVideoPath, parameters }), RunnerInputError);
    });

    it('a goal frame that does not exist', async () => {
      const parameters = { goalFrameId: 5000 };
      await expectRejection(buildRunInput(golden, folder, { parameters }), RunnerInputError);
    });

    it('a goal video that is none', async () => {
      const goalVideoPath = servoFixture('README.md');
      await expectRejection(buildRunInput(golden, folder, { goalVideoPath }), RunnerInputError);
    });

    it('a current video without one readable frame', async () => {
      const currentVideoPath = servoFixture('flicker.mp4');
      const beyond = { startFrame: 100, endFrame: 120 };
      await expectRejection(buildRunInput(golden, folder, { currentVideoPath, parameters: beyond }), RunnerInputError);
      const damaged = join(folder, 'damaged.mp4');
      const content = await readFile(currentVideoPath);
      // All media data.
      await writeFile(damaged, content.fill(0x55, content.indexOf('mdat') + 4, content.length));
      await expectRejection(buildRunInput(golden, folder, { currentVideoPath: damaged }), RunnerInputError);
      await rm(damaged);
    });

    it('a policy it has no weights for', async () => {
      const parameters = { policy: 'cns' } as const;
      await expectRejection(buildRunInput(golden, folder, { parameters }), RunnerUnavailableError);
    });

    it('a video that vanished', async () => {
      const currentVideoPath = join(folder, 'gone.mp4');
      await expectRejection(buildRunInput(golden, folder, { currentVideoPath }), RunnerStorageError);
    });

    it('a folder that vanished', async () => {
      const archivePath = join(folder, 'gone', 'result.zip');
      await expectRejection(buildRunInput(golden, folder, { archivePath }), RunnerStorageError);
    });

    it('a job that was stopped', async () => {
      const input = buildRunInput(golden, folder);
      await expectRejection(input, RunnerCancelledError, AbortSignal.abort());
    });

    it('a job under which a thread died, and does the next one as if nothing had been', async () => {
      const threads: Worker[] = [];
      const program = threadEntry('observers/observer-thread', import.meta.url);
      const mortal = new ThreadedObservers(2, () => {
        threads.push(new Worker(program));
        return new ObserverWorker(threads.at(-1));
      });
      const input = buildRunInput(golden, folder, { parameters: { frameStep: 1 } });
      const context = { signal: new AbortController().signal, onRow: ignore, onAlive: ignore };
      try {
        const killing = runServoJob(
          input,
          { ...deps, observers: mortal },
          {
            ...context,
            onProgress: ({ processed }) => {
              if (processed === 2) for (const thread of threads) void thread.terminate();
            },
          },
        );
        const before = await readdir(folder);
        await expect(killing).rejects.toBeInstanceOf(RunnerCrashedError);
        expect(await readdir(folder)).toEqual(before);
        const next = await runServoJob(input, { ...deps, observers: mortal }, { ...context, onProgress: ignore });
        expect(next.frames.map(({ frame }) => frame)).toEqual(Array.from({ length: 11 }, (_, frame) => frame));
        expect(threads).toHaveLength(4);
      } finally {
        mortal.close();
      }
    });
  });

  it('says in its plot which detector and which policy it shows', async () => {
    const input = buildRunInput(golden, folder);
    await run(input);
    const plot = (await readZip(input.archivePath)).get('velocity.svg')?.toString();
    expect(plot).toContain(`Velocity towards goal frame ${golden.goalFrame} (ORB, IBVS)`);
  });
});
