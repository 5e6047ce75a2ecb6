import { createWriteStream } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { ZipFile } from 'yazl';

import { DETECTOR_NAMES } from '../../src/runners/detector.js';
import {
  RunnerCancelledError,
  RunnerCheckpointError,
  RunnerCrashedError,
  RunnerUnavailableError,
} from '../../src/runners/runner.errors.js';
import {
  CNS_MODEL,
  type RunContext,
  type RunInput,
  type Runner,
  type RunnerDescription,
  type RunnerHealth,
  type RunResult,
  type RunResume,
  type RunUsage,
} from '../../src/runners/runner.port.js';

/** What a scripted runner does with one job. */
export interface Script {
  /** Milliseconds each frame takes; default 0. */
  msPerFrame?: number;
  /** Fails with this error after so many frames. */
  failure?: { afterFrames: number; error: Error };
  /** Says nothing more after so many frames, until it is cancelled. */
  hangAfterFrames?: number;
  /** Makes a checkpoint behind every so many frames, each with a file of pictures; default: none. */
  checkpointEvery?: number;
  /** What it says to have consumed, at any time; default: the time it took. */
  usage?: Partial<RunUsage>;
  /** Velocity of a frame; default a small value that depends on the frame. */
  velocity?: (frame: number) => number[];
}

export interface ScriptedRunnerOptions {
  /** The script of every job, or a choice by input (attempt number, parameters, …). */
  behaviour: Script | ((input: RunInput) => Script);
  slots?: number;
  /** What its numbers depend on; default 'script'. */
  checkpointKey?: string;
  /** On top of what it says of itself otherwise. */
  description?: Partial<RunnerDescription>;
  /** How it says that it is; throws for a server that does not answer. Default: by its slots. */
  health?: () => RunnerHealth;
}

export interface ScriptedRunner extends Runner {
  /** Inputs of all jobs begun so far. */
  readonly begun: readonly RunInput[];
  /** Most jobs that it has worked on at the same time. */
  readonly peak: number;
  /** Lets every running job fail as if the process behind it had died. */
  crash(): void;
}

/** A runner for tests of everything around runners: keeps the port's promises, computes nothing. */
export function createScriptedRunner({
  behaviour,
  slots = 4,
  checkpointKey = 'script',
  description: told = {},
  health: tellHealth,
}: ScriptedRunnerOptions): ScriptedRunner {
  const begun: RunInput[] = [];
  const running = new Set<AbortController>();
  let isClosed = false;
  let peak = 0;

  const endAll = (reason: Error) => {
    for (const controller of running) controller.abort(reason);
  };

  return {
    specVersion: 1,
    begun,
    get peak() {
      return peak;
    },
    describe: () => ({ ...description(slots), ...told }),
    checkpointKey: () => checkpointKey,
    health: async () => Promise.resolve(tellHealth?.() ?? health(isClosed, running.size, slots)),
    async run(input, context) {
      if (isClosed) throw new RunnerUnavailableError('The runner is closed.');
      begun.push(input);
      const ended = new AbortController();
      running.add(ended);
      peak = Math.max(peak, running.size);
      const onAbort = () => {
        ended.abort(
          new RunnerCancelledError('The job was stopped.', { stop: { by: 'engine', stoppedAt: new Date() } }),
        );
      };
      context.signal.addEventListener('abort', onAbort);
      if (context.signal.aborted) onAbort();
      try {
        const script = typeof behaviour === 'function' ? behaviour(input) : behaviour;
        return await play(script, input, ended.signal, context);
      } catch (error) {
        await rm(input.archivePath, { force: true });
        throw ended.signal.aborted ? ended.signal.reason : error;
      } finally {
        context.signal.removeEventListener('abort', onAbort);
        running.delete(ended);
      }
    },
    crash() {
      endAll(new RunnerCrashedError('The scripted process died.'));
    },
    close() {
      isClosed = true;
      endAll(new RunnerUnavailableError('The runner is closed.'));
      return Promise.resolve();
    },
  };
}

function description(slots: number): RunnerDescription {
  return {
    kind: 'scripted',
    name: 'Scripted runner',
    version: '1',
    detectors: DETECTOR_NAMES,
    policies: ['ibvs'],
    models: {},
    device: 'cpu',
    serves: [CNS_MODEL.name],
    slots,
  };
}

function health(isClosed: boolean, running: number, slots: number): RunnerHealth {
  if (isClosed) return { state: 'CLOSED' };
  return { state: running >= slots ? 'BUSY' : 'READY' };
}

async function play(
  script: Script,
  input: RunInput,
  signal: AbortSignal,
  { onProgress, onRows, onCheckpoint, onUsage }: RunContext,
): Promise<RunResult> {
  const { startFrame, endFrame, frameStep, goalFrameId } = input.parameters;
  const { msPerFrame = 0, failure, hangAfterFrames, velocity = smallVelocity, checkpointEvery = Infinity } = script;
  const startedAt = performance.now();
  const total = Math.floor((endFrame - startFrame) / frameStep) + 1;
  const rows = [...(input.resume?.velocity ?? [])];
  const frames = [...(input.resume?.frames ?? [])];
  const pictures = await picturesIn(input.resume);
  let kept = rows.length;
  const usage = () => ({
    wallSeconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: 0,
    // One for each attempt that made checkpoints.
    gpuSeconds: checkpointEvery === Infinity ? 0 : 1,
    energy: null,
    reportedCarbonGrams: null,
    ...script.usage,
  });
  for (let processed = rows.length; processed < total; processed++) {
    const frame = startFrame + processed * frameStep;
    onProgress({ processed, total });
    onUsage?.(usage());
    if (failure?.afterFrames === processed) throw failure.error;
    if (hangAfterFrames === processed) await untilAborted(signal);
    await delay(msPerFrame, undefined, { signal });
    rows.push(velocity(frame));
    frames.push({ frame, keypoints: 100, matches: 80, inliers: 60, featureErrorPx: 1, problem: null });
    pictures.push(`picture of frame ${frame}`);
    onRows?.(rows.slice(-1));
    if (onCheckpoint === undefined || rows.length % checkpointEvery !== 0) continue;
    const picturesPath = `${input.archivePath}.pictures-${kept}`;
    await writeFile(picturesPath, JSON.stringify(pictures.slice(kept)));
    const state = Buffer.from(`state behind ${rows.length} rows`);
    const made = { velocity: rows.slice(kept), frames: frames.slice(kept), state };
    onCheckpoint({ firstRow: kept, ...made, picturesPath });
    kept = rows.length;
  }
  const result: RunResult = {
    velocity: rows,
    frames,
    goal: { frame: goalFrameId, keypoints: 100 },
    device: 'cpu',
    model: null,
    usage: usage(),
    message: `${total} frames by script.`,
    warnings: [],
  };
  await writeArchive(input.archivePath, { ...result, pictures }, signal);
  onProgress({ processed: total, total });
  return result;
}

/** Pictures of the attempts before. @throws RunnerCheckpointError when the state is not what a script leaves */
async function picturesIn(resume: RunResume | undefined): Promise<string[]> {
  if (resume === undefined) return [];
  const state = Buffer.from(resume.state).toString();
  if (state !== `state behind ${resume.velocity.length} rows`)
    throw new RunnerCheckpointError(`Nobody knows "${state}".`);
  const pictures: string[] = [];
  for (const file of resume.picturesPaths) pictures.push(...(JSON.parse(await readFile(file, 'utf8')) as string[]));
  return pictures;
}

async function writeArchive(
  path: string,
  content: RunResult & { pictures: string[] },
  signal: AbortSignal,
): Promise<void> {
  const zip = new ZipFile();
  const rows = content.velocity.map((row, k) => `${content.frames[k].frame},${row.join(',')},60,\n`);
  const csv = ['frame,vx,vy,vz,wx,wy,wz,inliers,problem\n', ...rows].join('');
  zip.addBuffer(Buffer.from(csv), 'velocity.csv');
  zip.addBuffer(Buffer.from(JSON.stringify(content)), 'result.json');
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path), { signal });
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function smallVelocity(frame: number): number[] {
  return [0.01 * frame, 0, 0, 0, 0, 0.001 * frame];
}
