import { fork, type ChildProcess } from 'node:child_process';
import { resolve as resolvePath } from 'node:path';
import { childEntry } from '../child-entry.js';
import { childEnvironment } from '../child-environment.js';
import { ByteReader } from './byte-reader.js';
import { inspectContainer } from './container-inspector.js';
import {
  decoderMessageSchema,
  FRAME_HEADER_BYTES,
  FRAME_PIPE,
  readFrameHeader,
  type DecoderMessage,
  type DecoderRequest,
} from './decoder-process.protocol.js';
import type { DecoderSettings } from './decoder-settings.js';
import { assertFrameRange } from './frame-range.js';
import { pipeOf, SupervisedChild } from './supervised-child.js';
import {
  DecoderFailedError,
  MediaError,
  type FrameRange,
  type VideoDecoder,
  type VideoFrame,
  type VideoInfo,
} from './video-decoder.port.js';
import { assertPictureSize } from './video-stream.js';

/** Decodes with the FFmpeg that comes with node-av, in one short-lived process per call. */
export class NodeAvDecoder implements VideoDecoder {
  constructor(private readonly settings: DecoderSettings) {}

  async probe(path: string, { signal }: { signal: AbortSignal }): Promise<VideoInfo> {
    const running = await this.#start(path, null, signal);
    try {
      const answer = await running.child.watch(running.answer);
      if (answer.type === 'described') return answer.video;
      throw this.#asError(answer, running.child);
    } finally {
      await running.child.end();
    }
  }

  async *frames(path: string, range: FrameRange, { signal }: { signal: AbortSignal }): AsyncGenerator<VideoFrame> {
    assertFrameRange(range);
    const running = await this.#start(path, range, signal);
    try {
      for (let index = range.start; index <= range.end; index += range.step) {
        const frame = await running.child.watch(this.#readFrame(running.frames, index));
        if (!frame) throw this.#asError(await running.child.watch(running.answer), running.child);
        yield frame;
      }
    } finally {
      await running.child.end();
    }
  }

  async #start(path: string, range: FrameRange | null, signal: AbortSignal): Promise<RunningDecoder> {
    signal.throwIfAborted();
    const { logger, threads, limits, frameTimeoutMs, probeTimeoutMs } = this.settings;
    const container = await inspectContainer(path);
    signal.throwIfAborted();

    const process = spawnDecoder();
    const child = new SupervisedChild(process, {
      logger,
      signal,
      stallTimeoutMs: frameTimeoutMs,
      totalTimeoutMs: range ? undefined : probeTimeoutMs,
    });
    const answer = receiveAnswer(process, child);
    const frames = new ByteReader(pipeOf(process, FRAME_PIPE));
    const request: DecoderRequest = { path: resolvePath(path), container, threads, limits, range };
    // A request that cannot be sent has met a process that died, and that is told by `answer`.
    if (process.connected) process.send(request, () => undefined);
    return { child, answer, frames };
  }

  async #readFrame(reader: ByteReader, expectedIndex: number): Promise<VideoFrame | undefined> {
    const head = new Uint8Array(FRAME_HEADER_BYTES);
    if (!(await reader.fill(head))) return undefined;
    const { index, width, height } = readFrameHeader(head);
    if (index !== expectedIndex) throw new DecoderFailedError(`The decoder sent frame ${index}, not ${expectedIndex}`);
    assertPictureSize(width, height, this.settings.limits);
    const gray = new Uint8Array(width * height);
    return (await reader.fill(gray)) ? { index, width, height, gray } : undefined;
  }

  #asError(answer: Answer, child: SupervisedChild): Error {
    if (answer.type === 'media-error') return new MediaError(answer.problem, answer.message);
    this.settings.logger.warn('video decoder failed', { answer, errorOutput: child.errorOutput });
    if (answer.type === 'decoder-error') return new DecoderFailedError(answer.message);
    return new DecoderFailedError('The video decoder ended unexpectedly');
  }
}

interface RunningDecoder {
  child: SupervisedChild;
  /** The message that ends the work, or the end of the process without one. */
  answer: Promise<Answer>;
  frames: ByteReader;
}

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

function receiveAnswer(process: ChildProcess, child: SupervisedChild): Promise<Answer> {
  const disconnected = new Promise<void>((resolve) => {
    if (process.connected) process.once('disconnect', resolve);
    else resolve();
  });
  return new Promise((resolve) => {
    process.on('message', (received) => {
      const message = decoderMessageSchema.safeParse(received);
      if (!message.success) child.fail(new DecoderFailedError('The video decoder sent an unknown message'));
      else if (message.data.type === 'progress') child.progressed();
      else resolve(message.data);
    });
    // Messages still in the channel come before `disconnect`, also when the process has exited already.
    void Promise.all([child.exit, disconnected]).then(([exit]) => resolve({ type: 'ended', ...exit }));
  });
}
