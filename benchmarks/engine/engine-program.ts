import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../src/platform/logging/logger.js';
import { loadCnsWeights } from '../../src/runners/embedded/cns/load-weights.js';
import { createEmbeddedRunner, type EmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import type { Detector } from '../../src/runners/detector.js';
import { CNS_MODEL, type Policy, type RunResult } from '../../src/runners/runner.port.js';
import type { GoldenCase } from './golden-folder.js';
import { watchMemory } from './memory-watch.js';

const JOB_DEADLINE_MS = 600_000;
/** After a job the engine starts the decoder of the next one; that must not run into somebody else's measurement. */
const SETTLING_MS = 1_000;

export interface EngineSample {
  /** From the moment the job is handed over to its result, decoding included. */
  framesPerSecond: number;
  peakBytes: number;
  result: RunResult;
}

export interface EngineJob {
  golden: GoldenCase;
  detector: Detector;
  policy: Policy;
  /** Another goal frame than the case's, to warm the engine up without doing the measured job's work beforehand. */
  goalFrame?: number;
  /** False: returns with the result, so that the next job begins while the engine still starts its decoder; default true. */
  settles?: boolean;
}

export interface EngineOptions {
  logger: Logger;
  /** File with the weights of the policy cns. */
  weights: string | undefined;
  /** Threads of the engine; default 1. */
  threads?: number;
}

/** The embedded engine as the worker runs it. */
export class EngineProgram {
  static async start({ logger, weights, threads = 1 }: EngineOptions): Promise<EngineProgram> {
    const cnsWeights = weights === undefined ? undefined : await checkWeights(weights);
    const runner = createEmbeddedRunner({
      logger,
      processes: 1,
      threads,
      version: 'benchmark',
      ...(cnsWeights === undefined ? {} : { cnsWeights }),
    });
    return new EngineProgram(runner, await mkdtemp(path.join(os.tmpdir(), 'infernode-benchmark-')));
  }

  private constructor(
    private readonly runner: EmbeddedRunner,
    private readonly scratch: string,
  ) {}

  async run({
    golden,
    detector,
    policy,
    goalFrame = golden.goalFrame,
    settles = true,
  }: EngineJob): Promise<EngineSample> {
    const archivePath = path.join(this.scratch, `${crypto.randomUUID()}.zip`);
    const memory = watchMemory(() => this.runner.pids());
    const started = performance.now();
    try {
      const result = await this.runner.run(
        {
          jobId: 'benchmark',
          attempt: 1,
          goalVideoPath: golden.goalVideo,
          currentVideoPath: golden.currentVideo,
          archivePath,
          model: CNS_MODEL,
          parameters: {
            startFrame: 0,
            endFrame: golden.frameCount - 1,
            frameStep: 1,
            goalFrameId: goalFrame,
            detector,
            policy,
            useGpus: false,
            intrinsics: golden.camera,
            distance: golden.distance,
            visualize: 'none',
          },
        },
        { signal: AbortSignal.timeout(JOB_DEADLINE_MS), onProgress: () => undefined },
      );
      const framesPerSecond = (result.velocity.length * 1000) / (performance.now() - started);
      if (settles) await sleep(SETTLING_MS);
      return { framesPerSecond, peakBytes: memory.peakBytes(), result };
    } finally {
      memory.stop();
      await rm(archivePath, { force: true });
    }
  }

  async stop(): Promise<void> {
    await this.runner.close();
    await rm(this.scratch, { recursive: true, force: true });
  }
}

async function checkWeights(file: string): Promise<{ path: string; digest: string }> {
  const { digest } = await loadCnsWeights(file);
  return { path: path.resolve(file), digest };
}
