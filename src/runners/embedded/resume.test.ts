import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { syntheticTensors } from '../../../tests/support/cns-weights.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import { buildRunInput } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { readZip } from '../../../tests/support/zip-content.js';
import { createVideoDecoder } from '../../platform/media/create-video-decoder.js';
import { RunnerCancelledError, RunnerCheckpointError } from '../runner.errors.js';
import type { RunCheckpoint, RunInput, RunParameters, RunResult, RunResume } from '../runner.port.js';
import { CnsWeights } from './cns/weights.js';
import { GoalCache } from './observers/goal-cache.js';
import { ThreadedObservers } from './observers/threaded-observers.js';
import { createServoPipeline } from './pipeline.js';
import { runServoJob, type ServoJobContext } from './servo-job.js';

/** Frames 0 to 20 in steps of 2. */
const PARAMETERS: Partial<RunParameters> = { endFrame: 20, frameStep: 2, visualize: 'all' };
const ROWS = 11;

const observers = new ThreadedObservers(2);
const deps = {
  decoder: createVideoDecoder({ logger: silentLogger }),
  createPipeline: createServoPipeline,
  observers,
  goals: new GoalCache(2 ** 24),
  picturesMaxBytes: Infinity,
  loadWeights: () => Promise.resolve({ weights: CnsWeights.of(syntheticTensors()), digest: 'sha256:synthetic' }),
};
const ignore = () => undefined;

/** What somebody who keeps checkpoints has at the end. */
function resumeOf(checkpoints: readonly RunCheckpoint[]): RunResume {
  const { state } = checkpoints[checkpoints.length - 1];
  return {
    velocity: checkpoints.flatMap(({ velocity }) => velocity),
    frames: checkpoints.flatMap(({ frames }) => frames),
    state,
    picturesPaths: checkpoints.flatMap(({ picturesPath }) => picturesPath ?? []),
  };
}

afterAll(() => observers.close());

// The one has no memory, the other remembers the frames before.
describe.each(['ibvs', 'cns'] as const)('a servo job with the policy %s that is stopped', (policy) => {
  let folder: string;
  let golden: GoldenCaseFiles;
  let whole: { result: RunResult; content: Map<string, Buffer> };

  beforeAll(async () => {
    golden = await loadGoldenCase('dev-a-translate-xy');
    folder = await mkdtemp(join(tmpdir(), 'resume-whole-'));
    const input = inputFor();
    whole = { result: await run(input), content: await readZip(input.archivePath) };
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'resume-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const inputFor = (resume?: RunResume): RunInput =>
    buildRunInput(golden, folder, { parameters: { ...PARAMETERS, policy }, resume });
  const run = (input: RunInput, context: Partial<ServoJobContext> = {}) =>
    runServoJob(input, deps, {
      signal: new AbortController().signal,
      onProgress: ignore,
      onRow: ignore,
      onAlive: ignore,
      ...context,
    });

  /** Runs until so many rows are finished, with a checkpoint behind each of them. */
  async function stopBehind(rows: number, resume?: RunResume): Promise<RunCheckpoint[]> {
    const controller = new AbortController();
    const checkpoints: RunCheckpoint[] = [];
    const stopped = run(inputFor(resume), {
      signal: controller.signal,
      onProgress: ({ processed }) => {
        if (processed === rows) controller.abort();
      },
      checkpoints: {
        everyMs: 0,
        onCheckpoint: (checkpoint) => checkpoints.push(checkpoint),
        onFailure: (error) => expect.unreachable(String(error)),
      },
    });
    await expect(stopped).rejects.toBeInstanceOf(RunnerCancelledError);
    return checkpoints;
  }

  function expectSame(result: RunResult, content: Map<string, Buffer>): void {
    const { usage, ...rest } = result;
    const { usage: _, ...expected } = whole.result;
    expect(rest).toEqual(expected);
    expect(usage.wallSeconds).toBeGreaterThan(0);
    const pictures = [...whole.content.keys()].filter((name) => name.startsWith('images/'));
    expect(pictures).toHaveLength(ROWS);
    expect([...content.keys()]).toEqual([...whole.content.keys()]);
    for (const name of [...pictures, 'velocity.csv', 'velocity.svg', 'trajectory.csv']) {
      expect(content.get(name)?.equals(whole.content.get(name) ?? Buffer.alloc(0)), name).toBe(true);
    }
  }

  it('is one that decides by what it remembers, or has nothing to remember', async () => {
    const [checkpoint] = await stopBehind(1);
    expect(whole.result.model?.name ?? null).toBe(policy === 'cns' ? 'CNS' : null);
    expect(checkpoint.state.byteLength > 0).toBe(policy === 'cns');
  });

  it('goes on behind its checkpoints to the same result bit by bit, and does nothing twice', async () => {
    const first = await stopBehind(4);
    expect(first.map(({ firstRow, velocity, frames }) => [firstRow, velocity.length, frames.length])).toEqual(
      [0, 1, 2, 3].map((row) => [row, 1, 1]),
    );
    const second = await stopBehind(7, resumeOf(first));
    expect(second.map(({ firstRow }) => firstRow)).toEqual([4, 5, 6]);
    // Nothing lies there but what was handed over.
    const handedOver = [...first, ...second].map(({ picturesPath }) => picturesPath);
    expect((await readdir(folder)).map((name) => join(folder, name)).sort()).toEqual([...handedOver].sort());

    const rows: number[][] = [];
    const processed: number[] = [];
    const resume = resumeOf([...first, ...second]);
    const input = inputFor(resume);
    const result = await run(input, {
      onRow: (row) => rows.push(row),
      onProgress: (progress) => processed.push(progress.processed),
    });
    expectSame(result, await readZip(input.archivePath));
    expect(rows).toEqual(whole.result.velocity.slice(7));
    expect(processed[0]).toBe(7);
  });

  it('writes its archive where all rows are finished already', async () => {
    const checkpoints = await stopBehind(ROWS);
    const input = inputFor(resumeOf(checkpoints));
    const rows: number[][] = [];
    const result = await run(input, { onRow: (row) => rows.push(row) });
    expectSame(result, await readZip(input.archivePath));
    expect(rows).toEqual([]);
  });

  it('does not go on from what is not of this job, or is damaged', async () => {
    const checkpoints = await stopBehind(3);
    const resume = resumeOf(checkpoints);
    const damaged = join(folder, 'damaged.zip');
    await writeFile(damaged, 'PK nothing');
    const unusable: Partial<RunResume>[] = [
      { state: new Uint8Array(5) },
      { frames: resume.frames.slice(1) },
      { velocity: resume.velocity.slice(1), frames: resume.frames.slice(1) },
      { picturesPaths: [damaged] },
      { picturesPaths: [join(folder, 'missing.zip')] },
    ];
    for (const part of unusable) {
      await expect(run(inputFor({ ...resume, ...part }))).rejects.toBeInstanceOf(RunnerCheckpointError);
    }
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it.runIf(policy === 'cns')('does not go on with other weights than those that it began with', async () => {
    const resume = resumeOf(await stopBehind(2));
    const loadWeights = async () => ({ ...(await deps.loadWeights()), digest: 'sha256:other' });
    const context = { signal: new AbortController().signal, onProgress: ignore, onRow: ignore, onAlive: ignore };
    const goingOn = runServoJob(inputFor(resume), { ...deps, loadWeights }, context);
    await expect(goingOn).rejects.toBeInstanceOf(RunnerCheckpointError);
  });

  it('completes without checkpoints when they cannot be made', async () => {
    const failures: unknown[] = [];
    const input = inputFor();
    const result = await run(input, {
      checkpoints: {
        everyMs: 0,
        onCheckpoint: () => {
          throw new Error('Nobody listens');
        },
        onFailure: (error) => failures.push(error),
      },
    });
    expectSame(result, await readZip(input.archivePath));
    expect(failures).toHaveLength(1);
  });
});
