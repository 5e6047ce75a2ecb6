import type { Logger } from '../logging/logger.js';
import { DEFAULT_VIDEO_LIMITS, type DecoderSettings, type VideoLimits } from './decoder-settings.js';
import { FfmpegCliDecoder } from './ffmpeg-cli.decoder.js';
import { NodeAvDecoder } from './node-av.decoder.js';
import type { VideoDecoder } from './video-decoder.port.js';

export interface VideoDecoderOptions {
  /** An `ffmpeg` binary (5.1 or newer, `ffprobe` beside it) to use instead of the built-in decoder. */
  ffmpegPath?: string;
  logger: Logger;
  /** Default 6 hours: a long video takes its time, and one that hangs is found by `frameTimeoutMs`. */
  probeTimeoutMs?: number;
  /** Default 30 seconds. */
  frameTimeoutMs?: number;
  /** What is not named keeps its default. */
  limits?: Partial<VideoLimits>;
}

const PROBE_TIMEOUT_MS = 6 * 3600 * 1000;

/** The decoder that the configuration asks for. It holds nothing open but what its `prepare` has started. */
export function createVideoDecoder(options: VideoDecoderOptions): VideoDecoder {
  const settings: DecoderSettings = {
    logger: options.logger,
    probeTimeoutMs: options.probeTimeoutMs ?? PROBE_TIMEOUT_MS,
    frameTimeoutMs: options.frameTimeoutMs ?? 30_000,
    limits: { ...DEFAULT_VIDEO_LIMITS, ...options.limits },
  };
  return options.ffmpegPath ? new FfmpegCliDecoder(options.ffmpegPath, settings) : new NodeAvDecoder(settings);
}
