import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { ZipFile } from 'yazl';

import { RunnerCancelledError, RunnerCrashedError, RunnerUnavailableError } from '../../src/runners/runner.errors.js';
import {
  DETECTORS,
  type RunContext,
  type RunInput,
  type Runner,
  type RunnerDescription,
  type RunnerHealth,
  type RunResult,
} from '../../src/runners/runner.port.js';

/** What a scripted runner does with one job. */
export interface Script {
  /** Milliseconds each frame takes; default 0. */
  msPerFrame?: number;
  /** Fails with this error after so many frames. */
  failure?: { afterFrames: number; error: Error };
  /** Says nothing more after so many frames, until it is cancelled. */
  hangAfterFrames?: number;
  /** Velocity of a frame; default a small value that depends on the frame. */
  velocity?: (frame: number) => number[];
}

export interface ScriptedRunnerOptions {
  /** The script of every job, or a choice by input (attempt number, parameters, …). */
  behaviour: Script | ((input: RunInput) => Script);
  slots?: number;
}

export interface ScriptedRunner extends Runner {
  /** Inputs of all jobs begun so far. */
  readonly begun: readonly RunInput[];
  /** Lets every running job fail as if the process behind it had died. */
  crash(): void;
}

/** A runner for tests of everything around runners: keeps the port's promises, computes nothing. */
export function createScriptedRunner({ behaviour, slots = 4 }: ScriptedRunnerOptions): ScriptedRunner {
  const begun: RunInput[] = [];
  const running = new Set<AbortController>();
  let isClosed = false;

  const endAll = (reason: Error) => {
    for (const controller of running) controller.abort(reason);
  };

  return {
    specVersion: 1,
    begun,
    describe: () => description(slots),
    health: () => Promise.resolve(health(isClosed, running.size, slots)),
    async run(input, context) {
      if (isClosed) throw new RunnerUnavailableError('The runner is closed.');
      begun.push(input);
      const ended = new AbortController();
      running.add(ended);
      const onAbort = () => {
        ended.abort(new RunnerCancelledError('The job was stopped.'));
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
    detectors: DETECTORS,
    policies: ['ibvs'],
    device: 'cpu',
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
  { onProgress, onRows }: RunContext,
): Promise<RunResult> {
  const { startFrame, endFrame, frameStep, goalFrameId } = input.parameters;
  const { msPerFrame = 0, failure, hangAfterFrames, velocity = smallVelocity } = script;
  const startedAt = performance.now();
  const frames: number[] = [];
  for (let frame = startFrame; frame <= endFrame; frame += frameStep) frames.push(frame);
  for (let processed = 0; processed < frames.length; processed++) {
    onProgress({ processed, total: frames.length });
    if (failure?.afterFrames === processed) throw failure.error;
    if (hangAfterFrames === processed) await untilAborted(signal);
    await delay(msPerFrame, undefined, { signal });
    onRows?.([velocity(frames[processed])]);
  }
  const result: RunResult = {
    velocity: frames.map(velocity),
    frames: frames.map((frame) => ({
      frame,
      keypoints: 100,
      matches: 80,
      inliers: 60,
      featureErrorPx: 1,
      problem: null,
    })),
    goal: { frame: goalFrameId, keypoints: 100 },
    device: 'cpu',
    usage: {
      wallSeconds: (performance.now() - startedAt) / 1000,
      cpuSeconds: 0,
      gpuSeconds: 0,
      measuredEnergyWh: null,
    },
    message: `${frames.length} frames by script.`,
    warnings: [],
  };
  await writeArchive(input.archivePath, result, signal);
  onProgress({ processed: frames.length, total: frames.length });
  return result;
}

async function writeArchive(path: string, result: RunResult, signal: AbortSignal): Promise<void> {
  const zip = new ZipFile();
  const rows = result.velocity.map((row, k) => `${result.frames[k].frame},${row.join(',')},60,\n`);
  const csv = ['frame,vx,vy,vz,wx,wy,wz,inliers,problem\n', ...rows].join('');
  zip.addBuffer(Buffer.from(csv), 'velocity.csv');
  zip.addBuffer(Buffer.from(JSON.stringify(result)), 'result.json');
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
