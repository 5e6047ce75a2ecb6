import { resolve as resolvePath } from 'node:path';
import { inspectContainer } from './container-inspector.js';
import { DecoderChild } from './decoder-child.js';
import type { DecoderRequest } from './decoder-process.protocol.js';
import type { DecoderSettings } from './decoder-settings.js';
import { framesInOwnSession } from './frames-in-own-session.js';
import { assertFrameRange } from './frame-range.js';
import type { DecodingSession, FrameRange, VideoDecoder, VideoFrame, VideoInfo } from './video-decoder.port.js';

/** Decodes with the FFmpeg that comes with node-av, in a process for each session and each probe. */
export class NodeAvDecoder implements VideoDecoder {
  /** Started ahead of need. */
  #spare: DecoderChild | undefined;

  constructor(private readonly settings: DecoderSettings) {}

  async probe(path: string, { signal }: { signal: AbortSignal }): Promise<VideoInfo> {
    const request = await prepareRequest(path, null, this.settings, signal);
    const child = this.#takeChild();
    try {
      return await child.probe(request, signal);
    } finally {
      await child.end();
    }
  }

  frames(path: string, range: FrameRange, options: { signal: AbortSignal }): AsyncGenerator<VideoFrame> {
    return framesInOwnSession(this, path, range, options);
  }

  openSession(): DecodingSession {
    return new NodeAvSession(this.settings, () => this.#takeChild());
  }

  prepare(): void {
    if (this.#spare?.isReady) return;
    this.#spare = new DecoderChild(this.settings);
  }

  async close(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    await spare?.end();
  }

  #takeChild(): DecoderChild {
    const spare = this.#spare;
    this.#spare = undefined;
    // One that died in the meantime, say for want of memory, is no loss.
    return spare?.isReady ? spare : new DecoderChild(this.settings);
  }
}

/** One process for all that is read, a fresh one after a failure. */
class NodeAvSession implements DecodingSession {
  #idle: DecoderChild | undefined;

  constructor(
    private readonly settings: DecoderSettings,
    private readonly takeChild: () => DecoderChild,
  ) {}

  async *frames(path: string, range: FrameRange, { signal }: { signal: AbortSignal }): AsyncGenerator<VideoFrame> {
    assertFrameRange(range);
    const request = await prepareRequest(path, range, this.settings, signal);
    const child = this.#idle?.isReady ? this.#idle : this.takeChild();
    this.#idle = undefined;
    try {
      yield* child.frames(request, range, signal);
    } finally {
      if (child.isReady) this.#idle = child;
      else await child.end();
    }
  }

  async close(): Promise<void> {
    const child = this.#idle;
    this.#idle = undefined;
    await child?.end();
  }
}

async function prepareRequest(
  path: string,
  range: FrameRange | null,
  { limits }: DecoderSettings,
  signal: AbortSignal,
): Promise<DecoderRequest> {
  signal.throwIfAborted();
  const container = await inspectContainer(path);
  signal.throwIfAborted();
  return { path: resolvePath(path), container, limits, range };
}
