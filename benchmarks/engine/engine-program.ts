import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Logger } from '../../src/platform/logging/logger.js';
import { createEmbeddedRunner, type EmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import type { Detector } from '../../src/runners/detector.js';
import type { Policy, RunResult } from '../../src/runners/runner.port.js';
import type { GoldenCase } from './golden-folder.js';
import { watchMemory } from './memory-watch.js';

const JOB_DEADLINE_MS = 600_000;

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
}

/** The embedded engine with one process and one thread, as the worker runs it. */
export class EngineProgram {
  static async start(options: { logger: Logger; weights: string | undefined }): Promise<EngineProgram> {
    const scratch = await mkdtemp(path.join(os.tmpdir(), 'infernode-benchmark-'));
    const { logger } = options;
    return new EngineProgram(createEmbeddedRunner({ logger, processes: 1, version: 'benchmark' }), scratch);
  }

  private constructor(
    private readonly runner: EmbeddedRunner,
    private readonly scratch: string,
  ) {}

  async run({ golden, detector, policy, goalFrame = golden.goalFrame }: EngineJob): Promise<EngineSample> {
    const archivePath = path.join(this.scratch, 'result.zip');
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
      const seconds = (performance.now() - started) / 1000;
      return { framesPerSecond: result.velocity.length / seconds, peakBytes: memory.peakBytes(), result };
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
