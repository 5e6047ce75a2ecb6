import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import {
  RunnerBusyError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerUnavailableError,
  type StopEvidence,
} from '../runner.errors.js';
import type { RunInput } from '../runner.port.js';
import { RequestTooLargeError } from './failures.js';
import { splitBatch, type PlacedBatch } from './frame-batches.js';
import type { InferenceClient, InferenceParameters, ModelReference, TensorEncoding } from './inference.client.js';
import type { ModelBinding } from './model-contract.js';
import { readServoAnswer, type ServoRows } from './servo-answer.js';
import { servoInputs, type FrameBatch, type GoalPicture } from './servo-request.js';

/** A server that has taken batches of this job is asked so often when it says that it is full. */
const TRIES_WHEN_BUSY = 4;
const PAUSE_WHEN_BUSY_SECONDS = 1;
/** Who asks for more is not waited for: the job is better given back. */
const LONGEST_PAUSE_SECONDS = 30;
/** Numbers that fit into a double: JSON carries them unharmed. */
const MOST_SEQUENCES = 2 ** 48 - 1;

export interface SequenceOptions {
  client: InferenceClient;
  model: ModelReference;
  binding: ModelBinding;
  encoding: TensorEncoding;
  goal: GoalPicture;
  input: Pick<RunInput, 'jobId' | 'attempt' | 'parameters' | 'model'>;
  /** Who is talked to, as a sentence begins. */
  peer: string;
  /** Mark requests as a sequence. */
  marksSequence: boolean;
  /** The job is over: nothing new is asked. */
  signal: AbortSignal;
  /** Fires some time later: what has been asked is not waited for any longer. */
  callSignal: AbortSignal;
}

export interface SequenceAnswer extends ServoRows {
  parameters: InferenceParameters;
}

/**
 * The requests of one job, in order, one at a time. They carry the marks by which Triton and others recognise that they
 * belong together, for a model that remembers what it saw.
 */
export class ServoSequence {
  private readonly id = randomInt(1, MOST_SEQUENCES);
  /** Answered ones. */
  private requests = 0;
  private hasAsked = false;
  /** When the last request was answered; null when it was not. */
  private answeredAt: Date | null = null;
  private lastFrame: FrameBatch | null = null;
  private hasEnded = false;
  /** Most frames that the server takes at once, as far as is known. */
  private mostFrames: number;

  constructor(private readonly options: SequenceOptions) {
    this.mostFrames = options.binding.takesSingleFrames ? 1 : Infinity;
  }

  get frameLimit(): number {
    return this.mostFrames;
  }

  /** What of a limit on the pictures of a request is left for frames. */
  bytesBesideGoal(bytes: number): number {
    return bytes - this.options.goal.gray.byteLength;
  }

  /**
   * How it is known that the server no longer works on a job that was stopped. The protocol has no word for stopping: a
   * server that has answered all it was asked has nothing left to do; of another one only the connection was closed.
   */
  get stopEvidence(): StopEvidence | null {
    if (!this.hasAsked) return null;
    if (this.answeredAt !== null) return { by: 'server', stoppedAt: this.answeredAt };
    return { by: 'connection', stoppedAt: new Date() };
  }

  /**
   * @returns answers to the batch, in one piece or, when the server takes less at once, in several
   * @throws RunnerError; the reason of a signal
   */
  async *send({ batch, isLast }: PlacedBatch): AsyncGenerator<SequenceAnswer> {
    this.requirePictureSize(batch, 'current');
    if (batch.indices.length > this.mostFrames) {
      yield* this.sendInTwo({ batch, isLast }, this.mostFrames);
      return;
    }
    let answer: SequenceAnswer;
    try {
      answer = await this.sendWhenFree({ batch, isLast });
    } catch (error) {
      if (!(error instanceof RequestTooLargeError) || batch.indices.length === 1) throw error;
      // It was refused unread, so nothing is done twice.
      this.mostFrames = Math.ceil(batch.indices.length / 2);
      yield* this.sendInTwo({ batch, isLast }, this.mostFrames);
      return;
    }
    yield answer;
  }

  /**
   * Tells a model that remembers that nothing follows, with a frame that it has seen: the protocol has no request
   * without one. For a sequence that was broken off; one that was sent to its end has said so.
   */
  async end(signal: AbortSignal): Promise<void> {
    if (!this.options.marksSequence || this.hasEnded || this.lastFrame === null) return;
    await this.request({ batch: this.lastFrame, isLast: true }, signal);
  }

  /** @throws RunnerInputError when the model takes pictures of one size only, and this is another */
  requirePictureSize({ width, height }: { width: number; height: number }, role: 'goal' | 'current'): void {
    const { pictureWidth, pictureHeight } = this.options.binding;
    if ((pictureWidth ?? width) === width && (pictureHeight ?? height) === height) return;
    const wanted = `${pictureWidth ?? 'any'} × ${pictureHeight ?? 'any'}`;
    throw new RunnerInputError(
      `The model takes pictures of ${wanted} pixels only; the ${role} video has ${width} × ${height}.`,
    );
  }

  private async *sendInTwo({ batch, isLast }: PlacedBatch, count: number): AsyncGenerator<SequenceAnswer> {
    const [first, second] = splitBatch(batch, count);
    yield* this.send({ batch: first, isLast: false });
    yield* this.send({ batch: second, isLast });
  }

  /**
   * A full server that gets the first request of a job has not begun, and the job is given back. Later ones wait a
   * little where frames do not depend on each other; a model that remembers may have taken the refused one all the same.
   */
  private async sendWhenFree(placed: PlacedBatch): Promise<SequenceAnswer> {
    const { signal, callSignal } = this.options;
    for (let tries = 1; ; tries++) {
      try {
        signal.throwIfAborted();
        return await this.request(placed, callSignal);
      } catch (error) {
        if (!(error instanceof RunnerBusyError) || this.requests === 0) throw error;
        const seconds = error.retryAfterSeconds ?? PAUSE_WHEN_BUSY_SECONDS;
        const isIndependent = this.options.input.parameters.policy === 'ibvs';
        if (!isIndependent || tries === TRIES_WHEN_BUSY || seconds > LONGEST_PAUSE_SECONDS) throw brokenOff(error);
        await pause(seconds, signal);
      }
    }
  }

  private async request({ batch, isLast }: PlacedBatch, signal: AbortSignal): Promise<SequenceAnswer> {
    const { client, model, binding, goal, input, peer, encoding } = this.options;
    const request = {
      model,
      id: `${input.jobId}-${input.attempt}.${this.requests}`,
      parameters: this.parameters(isLast),
      inputs: servoInputs(binding, goal, batch, input.parameters),
      outputs: binding.outputs,
    };
    const call = client.infer(request, encoding, signal);
    this.hasAsked = true;
    this.answeredAt = null;
    const answer = await call.catch((error: unknown) => {
      throw this.explain(error);
    });
    this.answeredAt = new Date();
    this.requests++;
    this.hasEnded = isLast;
    this.lastFrame = splitBatch(batch, batch.indices.length - 1)[1];
    return { ...readServoAnswer(answer, batch.indices, peer), parameters: answer.parameters };
  }

  /** A server that cannot be reached any more has died under the job. */
  private explain(error: unknown): unknown {
    if (!(error instanceof RunnerUnavailableError) || this.requests === 0) return error;
    return new RunnerCrashedError(`${this.options.peer} was lost in the middle of a job.`, { cause: error });
  }

  private parameters(isLast: boolean): InferenceParameters {
    const { input, marksSequence } = this.options;
    const own = Object.entries(input.model.parameters).flatMap(([name, value]) =>
      isSimple(value) ? [[name, value] as const] : [[name, JSON.stringify(value)] as const],
    );
    return {
      ...Object.fromEntries(own),
      device: input.parameters.useGpus ? 'cuda:0' : 'cpu',
      ...(marksSequence ? { sequence_id: this.id, sequence_start: this.requests === 0, sequence_end: isLast } : {}),
    };
  }
}

function isSimple(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** Work has been done and is lost, so this attempt is one. */
function brokenOff(error: RunnerBusyError): RunnerUnavailableError {
  const { message, retryAfterSeconds } = error;
  return new RunnerUnavailableError(`In the middle of a job: ${message}`, { cause: error, retryAfterSeconds });
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(seconds * 1000, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
