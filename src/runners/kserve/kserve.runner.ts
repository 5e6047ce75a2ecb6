import { setMaxListeners } from 'node:events';

import { createVideoDecoder } from '../../platform/media/create-video-decoder.js';
import type { VideoDecoder } from '../../platform/media/video-decoder.port.js';
import type { RemoteRunnerOptions } from '../http-kit/remote-options.js';
import { RunnerCancelledError, RunnerError, RunnerUnavailableError } from '../runner.errors.js';
import {
  CNS_MODEL,
  type RunContext,
  type RunInput,
  type Runner,
  type RunnerDescription,
  type RunnerHealth,
  type RunResult,
} from '../runner.port.js';
import { GrpcInferenceClient } from './grpc.client.js';
import type { InferenceClient, ModelReference, ServerMetadata } from './inference.client.js';
import { runKserveJob } from './kserve-job.js';
import { kserveSettingsSchema, type KserveSettings, type KserveSettingsInput } from './kserve.settings.js';
import { bindModel } from './model-contract.js';
import { RestInferenceClient } from './rest.client.js';
import type { GoalPicture } from './servo-request.js';
import { ServoSequence } from './servo-sequence.js';
import { StopSignal } from './stop-signal.js';
import type { CheckpointReceiver } from '../result/checkpointer.js';

/** `http` and `https` speak REST, `grpc` and `grpcs` gRPC. */
export const KSERVE_SCHEMES = ['http:', 'https:', 'grpc:', 'grpcs:'] as const;

export interface KserveRunnerOptions extends RemoteRunnerOptions {
  settings?: KserveSettingsInput | undefined;
}

/**
 * A request under way when a job is stopped may still be answered within this time: then it is known that the server has
 * stopped, which a closed connection does not tell.
 */
const LAST_ANSWER_MS = 350;
/** How long a model that remembers is given to hear that a job is over. Both fit into the second that the port allows. */
const GOODBYE_MS = 250;
/** The rows of the largest batch (1024 frames) take a megabyte; numbers take many times their size in memory once read. */
const LARGEST_ANSWER_BYTES = 8 * 1024 ** 2;

/**
 * Runs jobs on any server of the Open Inference Protocol v2 (KServe, Triton, MLServer, …) whose model takes pictures and
 * gives velocities. The videos are decoded here.
 *
 * @throws RangeError for an address with another scheme; ZodError for settings that are none
 */
export function createKserveRunner(options: KserveRunnerOptions): Runner {
  return new KserveRunner(options);
}

class KserveRunner implements Runner {
  readonly specVersion = 1;
  private readonly settings: KserveSettings;
  private readonly decoder: VideoDecoder;
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();
  private server: ServerMetadata | null = null;

  constructor(private readonly options: KserveRunnerOptions) {
    this.settings = kserveSettingsSchema.parse(options.settings ?? {});
    this.requireScheme();
    this.decoder = createVideoDecoder({
      logger: options.logger,
      ...(options.ffmpegPath === undefined ? {} : { ffmpegPath: options.ffmpegPath }),
    });
    // Every job listens to it; that is no leak.
    setMaxListeners(0, this.closing.signal);
  }

  describe(): RunnerDescription {
    const { name, slots, models = [CNS_MODEL.name] } = this.options;
    const { detectors, policies, device } = this.settings;
    const version = this.server === null ? 'unknown' : `${this.server.name} ${this.server.version}`.trim();
    return { kind: 'kserve', name, version, detectors, policies, models: {}, device, serves: models, slots };
  }

  /**
   * Rows of `ibvs` do not depend on each other, so a job can go on behind them; a model of `cns` remembers, and nobody
   * can ask it what.
   */
  checkpointKey(): string {
    const { name, url } = this.options;
    const { modelName = '', modelVersion = '' } = this.settings;
    return `kserve ${name} ${url.href} ${modelName} ${modelVersion}`;
  }

  async health(signal: AbortSignal = new AbortController().signal): Promise<RunnerHealth> {
    if (this.closing.signal.aborted) return { state: 'CLOSED' };
    const stop = new StopSignal([signal, this.closing.signal], 0);
    const client = this.createClient();
    try {
      return await this.askHealth(client, stop.signal);
    } catch (error) {
      if (this.closing.signal.aborted) return { state: 'CLOSED' };
      if (signal.aborted || !(error instanceof RunnerError)) throw error;
      return { state: 'UNHEALTHY', detail: error.message };
    } finally {
      stop.dispose();
      await client.close();
    }
  }

  run(input: RunInput, context: RunContext): Promise<RunResult> {
    if (this.closing.signal.aborted) return Promise.reject(new RunnerUnavailableError('The runner is closed.'));
    const job = this.runJob(input, context);
    this.track(job);
    return job;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
    await this.decoder.close();
  }

  private async askHealth(client: InferenceClient, signal: AbortSignal): Promise<RunnerHealth> {
    const [name = CNS_MODEL.name] = this.options.models ?? [];
    if (!(await client.isReady(signal))) return { state: 'STARTING', detail: 'The server is not ready yet.' };
    const model = this.modelReference(name);
    if (!(await client.isModelReady(model, signal))) {
      return { state: 'STARTING', detail: `Its model "${model.name}" is not ready yet.` };
    }
    this.server = await client.serverMetadata(signal);
    return { state: this.running.size >= this.options.slots ? 'BUSY' : 'READY' };
  }

  private async runJob(input: RunInput, context: RunContext): Promise<RunResult> {
    const stop = new StopSignal([context.signal, this.closing.signal], LAST_ANSWER_MS);
    const opened: ServoSequence[] = [];
    // Connections of its own: what happens to those of another job does not concern this one.
    const client = this.createClient();
    try {
      const openSequence = async (goal: GoalPicture) => {
        const sequence = await this.openSequence(client, input, goal, stop);
        opened.push(sequence);
        return sequence;
      };
      const { decoder, settings } = this;
      const deps = { decoder, settings, openSequence, checkpoints: this.checkpointsOf(input, context) };
      return await runKserveJob(input, deps, { ...context, signal: stop.signal });
    } catch (error) {
      const [sequence] = opened;
      if (sequence !== undefined) await this.sayGoodbye(sequence, input);
      if (context.signal.aborted) {
        throw new RunnerCancelledError('The job was stopped.', { cause: error, stop: sequence?.stopEvidence ?? null });
      }
      if (this.closing.signal.aborted) throw new RunnerUnavailableError('The runner is closed.', { cause: error });
      throw error;
    } finally {
      stop.dispose();
      await client.close();
    }
  }

  /** Everything is asked anew for each job: models are replaced while servers run. */
  private async openSequence(
    client: InferenceClient,
    input: RunInput,
    goal: GoalPicture,
    stop: StopSignal,
  ): Promise<ServoSequence> {
    const { settings, peer } = this;
    const { signal, lateSignal: callSignal } = stop;
    const model = this.modelReference(input.model.name);
    if (!(await client.isModelReady(model, signal))) {
      throw new RunnerUnavailableError(`${peer} has its model "${model.name}" not ready yet.`);
    }
    this.server = await client.serverMetadata(signal);
    const binding = bindModel(await client.modelMetadata(model, signal), peer);
    const sequence = new ServoSequence({
      client,
      model,
      binding,
      encoding: client.encodingFor(this.server),
      goal,
      input,
      peer,
      marksSequence: settings.sequences,
      signal,
      callSignal,
    });
    sequence.requirePictureSize(goal, 'goal');
    return sequence;
  }

  /** A model of `ibvs` has nothing to forget; a server that does not hear it forgets after a while by itself. */
  private async sayGoodbye(sequence: ServoSequence, { jobId, parameters }: RunInput): Promise<void> {
    if (parameters.policy === 'ibvs') return;
    try {
      await sequence.end(AbortSignal.timeout(GOODBYE_MS));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.logger.debug('the model server was not told that a job is over', { jobId, reason });
    }
  }

  private checkpointsOf({ jobId, parameters }: RunInput, { onCheckpoint }: RunContext): CheckpointReceiver | undefined {
    if (onCheckpoint === undefined || parameters.policy !== 'ibvs') return undefined;
    return {
      onCheckpoint,
      onFailure: (error) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.options.logger.warn('no more checkpoints of this attempt are made', { jobId, reason });
      },
    };
  }

  private modelReference(name: string): ModelReference {
    const { modelName = name, modelVersion } = this.settings;
    return { name: modelName, version: modelVersion };
  }

  private get peer(): string {
    return `The model server "${this.options.name}"`;
  }

  private createClient(): InferenceClient {
    const { url, token, limits = {} } = this.options;
    const answerBytes = Math.min(limits.answerBytes ?? Infinity, LARGEST_ANSWER_BYTES);
    const transport = {
      peer: this.peer,
      url,
      token,
      limits: { ...limits, answerBytes },
      encoding: this.settings.encoding,
    };
    return url.protocol.startsWith('grpc') ? new GrpcInferenceClient(transport) : new RestInferenceClient(transport);
  }

  private requireScheme(): void {
    const { protocol } = this.options.url;
    if (KSERVE_SCHEMES.some((scheme) => scheme === protocol)) return;
    throw new RangeError(`A server of the Open Inference Protocol has an address with ${KSERVE_SCHEMES.join(', ')}.`);
  }

  private track(job: Promise<unknown>): void {
    this.running.add(job);
    const forget = () => this.running.delete(job);
    job.then(forget, forget);
  }
}
