import { setMaxListeners } from 'node:events';
import { rm } from 'node:fs/promises';

import type { Logger } from '../../platform/logging/logger.js';
import { RunnerCancelledError, RunnerUnavailableError } from '../runner.errors.js';
import { DETECTOR_NAMES } from '../detector.js';
import {
  CNS_MODEL,
  type RunContext,
  type RunInput,
  type Runner,
  type RunnerDescription,
  type RunnerHealth,
  type RunResult,
} from '../runner.port.js';
import { archiveLeftovers } from '../result/result-archive.js';
import { CNS_MODEL_NAME, type WeightsFile } from './cns/load-weights.js';
import { EngineHandle } from './engine-handle.js';
import { Permits } from '../../platform/permits.js';

/** A frame of the largest size takes ten seconds on a common core; slow or crowded machines get their time. */
const DEFAULT_STALL_TIMEOUT_MS = 300_000;
const DEFAULT_PICTURES_BYTES = 2 * 1024 ** 3;
/** The memory of a WebAssembly module can grow but never shrink; a fresh process starts small again. */
const JOBS_PER_ENGINE = 100;
const LARGEST_IDLE_ENGINE_BYTES = 1024 ** 3;
/** Starts that may fail in a row before the runner calls itself unhealthy. */
const TOLERATED_FAILED_STARTS = 2;

export interface EmbeddedRunnerOptions {
  logger: Logger;
  /** Engine processes, and so jobs at the same time. */
  processes: number;
  /** Threads of each engine that observe frames; default 1. */
  threads?: number;
  /** A system ffmpeg to decode with instead of the bundled decoder. */
  ffmpegPath?: string;
  /** Weights for the policy `cns`, checked before; without them it is not offered. */
  cnsWeights?: WeightsFile;
  /** Bytes of pictures after which a job gets a sample instead of all; default 2 GiB. */
  picturesMaxBytes?: number;
  /** An engine that reports nothing for this long is ended; default five minutes. */
  stallTimeoutMs?: number;
  /** Version of the product, reported as the runner's version. */
  version: string;
  /** An engine that served this many jobs is replaced; default 100. */
  jobsPerEngine?: number;
}

/** The embedded runner, with a look into its processes for diagnostics. */
export interface EmbeddedRunner extends Runner {
  /** Process ids of the engines alive now, busy and idle. */
  pids(): number[];
}

/**
 * Runs jobs on this machine's CPU, in a pool of engine processes. Engines are started when they are first needed and
 * stay warm; one that crashed, hung, or grew too large is replaced. More jobs than processes wait for their turn.
 */
export function createEmbeddedRunner(options: EmbeddedRunnerOptions): EmbeddedRunner {
  for (const count of [options.processes, options.threads ?? 1]) {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError('The embedded runner needs at least one process, and one thread in it.');
    }
  }
  return new EnginePool(options);
}

class EnginePool implements EmbeddedRunner {
  readonly specVersion = 1;
  private readonly permits: Permits;
  private readonly engines = new Set<EngineHandle>();
  private readonly idle: EngineHandle[] = [];
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();
  private failedStartsInARow = 0;

  constructor(private readonly options: EmbeddedRunnerOptions) {
    this.permits = new Permits(options.processes);
    // Every job, waiting ones included, listens to it; that is no leak.
    setMaxListeners(0, this.closing.signal);
  }

  describe(): RunnerDescription {
    return {
      kind: 'embedded',
      name: 'Embedded CPU engine',
      version: this.options.version,
      detectors: DETECTOR_NAMES,
      policies: this.options.cnsWeights === undefined ? ['ibvs'] : ['ibvs', 'cns'],
      models: this.models(),
      device: 'cpu',
      serves: [CNS_MODEL.name],
      slots: this.options.processes,
    };
  }

  /** Weights are not part of it: a policy that has some refuses the state of others. */
  checkpointKey(): string {
    const { version, ffmpegPath } = this.options;
    return `embedded ${version}, frames by ${ffmpegPath ?? 'the bundled decoder'}`;
  }

  private models(): RunnerDescription['models'] {
    const { cnsWeights } = this.options;
    return cnsWeights === undefined ? {} : { cns: { name: CNS_MODEL_NAME, digest: cnsWeights.digest } };
  }

  health(): Promise<RunnerHealth> {
    return Promise.resolve(this.currentHealth());
  }

  pids(): number[] {
    return [...this.engines].map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  run(input: RunInput, context: RunContext): Promise<RunResult> {
    const { policy } = input.parameters;
    if (!this.describe().policies.includes(policy)) {
      const message = `This worker has no weights for the policy "${policy}": its setting CNS_WEIGHTS is missing.`;
      return Promise.reject(new RunnerUnavailableError(message));
    }
    const job = this.runOnEngine(input, context);
    this.running.add(job);
    const forget = () => this.running.delete(job);
    job.then(forget, forget);
    return job;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
    await Promise.all([...this.engines].map((engine) => engine.stop()));
  }

  private currentHealth(): RunnerHealth {
    if (this.closing.signal.aborted) return { state: 'CLOSED' };
    if (this.failedStartsInARow > TOLERATED_FAILED_STARTS) {
      return { state: 'UNHEALTHY', detail: 'Engine processes die while starting.' };
    }
    const isFull = this.permits.inUse >= this.options.processes;
    return { state: isFull ? 'BUSY' : 'READY' };
  }

  private async runOnEngine(input: RunInput, context: RunContext): Promise<RunResult> {
    const { signal } = context;
    const stop = eitherSignal(signal, this.closing.signal);
    let hasBegun = false;
    try {
      const release = await this.permits.acquire(stop.signal);
      hasBegun = true;
      try {
        return await this.runOnFreeEngine(input, { ...context, signal: stop.signal });
      } finally {
        release();
      }
    } catch (error) {
      await this.removeArchive(input);
      if (signal.aborted) {
        const evidence = hasBegun ? ({ by: 'engine', stoppedAt: new Date() } as const) : null;
        throw new RunnerCancelledError('The job was stopped.', { cause: error, stop: evidence });
      }
      if (this.closing.signal.aborted) {
        throw new RunnerUnavailableError('The runner is closed.', { cause: error });
      }
      throw error;
    } finally {
      stop.dispose();
    }
  }

  private async runOnFreeEngine(input: RunInput, context: RunContext): Promise<RunResult> {
    for (;;) {
      const engine = this.takeEngine();
      const wasIdle = engine.assignedJobs > 0;
      try {
        return await engine.execute(input, context);
      } catch (error) {
        // It had died while idle, and the news of it came too late: the job has not begun, another engine takes it.
        const isUntouched = wasIdle && engine.lostBeforeJob && !context.signal.aborted;
        if (!isUntouched) throw error;
      } finally {
        if (engine.failedToStart) this.failedStartsInARow++;
        else if (engine.ready) this.failedStartsInARow = 0;
        this.putBack(engine);
      }
    }
  }

  private takeEngine(): EngineHandle {
    for (let engine = this.idle.pop(); engine !== undefined; engine = this.idle.pop()) {
      if (engine.alive) return engine;
    }
    return this.startEngine();
  }

  private startEngine(): EngineHandle {
    const { logger, threads = 1, ffmpegPath, cnsWeights } = this.options;
    const { stallTimeoutMs = DEFAULT_STALL_TIMEOUT_MS, picturesMaxBytes = DEFAULT_PICTURES_BYTES } = this.options;
    const engine = new EngineHandle({ logger, threads, ffmpegPath, cnsWeights, stallTimeoutMs, picturesMaxBytes });
    this.engines.add(engine);
    void engine.gone.then(() => this.engines.delete(engine));
    return engine;
  }

  private putBack(engine: EngineHandle): void {
    if (!engine.alive) return;
    const { jobsPerEngine = JOBS_PER_ENGINE } = this.options;
    const isWornOut = engine.assignedJobs >= jobsPerEngine || engine.rssBytes > LARGEST_IDLE_ENGINE_BYTES;
    if (isWornOut || !engine.healthy) void engine.stop();
    else this.idle.push(engine);
  }

  /** A killed engine could not tidy up after itself. */
  private async removeArchive({ archivePath, jobId }: RunInput): Promise<void> {
    try {
      for (const path of await archiveLeftovers(archivePath)) await rm(path, { force: true });
    } catch (error) {
      this.options.logger.warn('unfinished archive could not be removed', {
        jobId,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/**
 * A signal that fires with either of two. Unlike `AbortSignal.any` it can be taken off again, so that a long-lived
 * signal does not collect one dependent per job.
 */
function eitherSignal(first: AbortSignal, second: AbortSignal): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const sources = [first, second];
  const onAbort = () => {
    controller.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  for (const source of sources) source.addEventListener('abort', onAbort);
  if (sources.some(({ aborted }) => aborted)) onAbort();
  return {
    signal: controller.signal,
    dispose() {
      for (const source of sources) source.removeEventListener('abort', onAbort);
    },
  };
}
