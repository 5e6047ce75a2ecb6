import { fork, type ChildProcess } from 'node:child_process';
import { childEntry } from '../child-entry.js';
import { childEnvironment } from '../child-environment.js';
import { ByteReader } from './byte-reader.js';
import { decoderMessageSchema } from './decoder-message.schema.js';
import {
  END_OF_FRAMES,
  FRAME_HEADER_BYTES,
  FRAME_PIPE,
  readFrameHeader,
  type DecoderMessage,
  type DecoderRequest,
} from './decoder-process.protocol.js';
import { maxPixels, type DecoderSettings } from './decoder-settings.js';
import { lastIndexOf } from './frame-range.js';
import { pipeOf, SupervisedChild } from './supervised-child.js';
import {
  DecoderFailedError,
  MediaError,
  type FrameRange,
  type VideoFrame,
  type VideoInfo,
} from './video-decoder.port.js';

/** A decoder process as seen from its parent. Serves one request at a time. */
export class DecoderChild {
  private readonly process = spawnDecoder();
  private readonly child: SupervisedChild;
  private readonly bytes: ByteReader;
  private readonly ended: Promise<Answer>;
  private onAnswer: ((answer: Answer) => void) | undefined;
  private isGone = false;
  private isServing = false;

  constructor(private readonly settings: DecoderSettings) {
    const { logger, frameTimeoutMs } = settings;
    this.child = new SupervisedChild(this.process, { logger, stallTimeoutMs: frameTimeoutMs });
    this.bytes = new ByteReader(pipeOf(this.process, FRAME_PIPE));
    this.process.on('message', (received) => this.receive(received));
    const disconnected = new Promise<void>((resolve) => {
      if (this.process.connected) this.process.once('disconnect', resolve);
      else resolve();
    });
    // Messages still in the channel come before `disconnect`, also when the process has exited already.
    this.ended = Promise.all([this.child.exit, disconnected]).then(([exit]) => ({ type: 'ended', ...exit }));
    void this.child.exit.then(() => {
      this.isGone = true;
    });
  }

  /** Whether it waits for a request: it has not died, and its last request, if any, was served to the end. */
  get isReady(): boolean {
    return !this.isGone && !this.isServing;
  }

  /** @throws MediaError; DecoderFailedError; the signal's reason when aborted */
  async probe(request: DecoderRequest, signal: AbortSignal): Promise<VideoInfo> {
    const answer = await this.child.watch(this.ask(request, signal, this.settings.probeTimeoutMs));
    if (answer.type !== 'described') throw this.asError(answer);
    return answer.video;
  }

  /** @throws MediaError; DecoderFailedError; the signal's reason when aborted */
  async *frames(request: DecoderRequest, range: FrameRange, signal: AbortSignal): AsyncGenerator<VideoFrame> {
    const answer = this.ask(request, signal);
    const last = lastIndexOf(range);
    let from = range.start;
    for (;;) {
      const frame = await this.child.watch(this.readFrame(range, from));
      from = (frame?.index ?? last) + range.step;
      if (from <= last && frame) {
        yield frame;
        continue;
      }
      // The request is over before its last frame is handed out: whoever leaves the loop then has left nothing behind.
      if (frame) await this.child.watch(this.readFrame(range, from));
      const outcome = await this.child.watch(answer);
      if (outcome.type !== 'sent') throw this.asError(outcome);
      if (frame) yield frame;
      return;
    }
  }

  /** Ends the process if it still runs. */
  end(): Promise<void> {
    return this.child.end();
  }

  private async ask(request: DecoderRequest, signal: AbortSignal, totalTimeoutMs?: number): Promise<Answer> {
    this.isServing = true;
    this.child.obey(signal, totalTimeoutMs);
    const answered = new Promise<Answer>((resolve) => {
      this.onAnswer = resolve;
    });
    // A request that cannot be sent has met a process that died, and that is told by `ended`.
    if (this.process.connected) this.process.send(request, () => undefined);
    const answer = await Promise.race([answered, this.ended]);
    this.isServing = answer.type !== 'sent';
    if (!this.isServing) this.child.rest();
    return answer;
  }

  private receive(received: unknown): void {
    const message = decoderMessageSchema.safeParse(received);
    if (!message.success) this.child.fail(new DecoderFailedError('The video decoder sent an unknown message'));
    else if (message.data.type === 'progress') this.child.progressed();
    else this.onAnswer?.(message.data);
  }

  /** The next frame, not before the index `from`; undefined when no more follow. */
  private async readFrame(range: FrameRange, from: number): Promise<VideoFrame | undefined> {
    const head = new Uint8Array(FRAME_HEADER_BYTES);
    if (!(await this.bytes.fill(head))) return undefined;
    const { index, width, height } = readFrameHeader(head);
    if (index === END_OF_FRAMES) return undefined;
    const isWanted = index >= from && index <= range.end && (index - range.start) % range.step === 0;
    if (!isWanted) throw new DecoderFailedError(`The decoder sent frame ${index}, which was not asked for`);
    if (width * height > maxPixels(this.settings.limits)) {
      throw new DecoderFailedError(`The decoder sent a frame of ${width}x${height} pixels`);
    }
    const gray = new Uint8Array(width * height);
    return (await this.bytes.fill(gray)) ? { index, width, height, gray } : undefined;
  }

  private asError(answer: Answer): Error {
    if (answer.type === 'media-error') return new MediaError(answer.problem, answer.message);
    this.settings.logger.warn('video decoder failed', { answer, errorOutput: this.child.errorOutput });
    if (answer.type === 'decoder-error') return new DecoderFailedError(answer.message);
    return new DecoderFailedError('The video decoder ended unexpectedly');
  }
}

/** The message that ends a request, or the end of the process without one. */
type Answer =
  Exclude<DecoderMessage, { type: 'progress' }> | { type: 'ended'; code: number | null; signal: string | null };

function spawnDecoder(): ChildProcess {
  const { script, execArgv } = childEntry('decoder-process', import.meta.url);
  return fork(script, [], {
    execArgv: ['--max-old-space-size=256', ...execArgv],
    env: childEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ipc'],
  });
}
