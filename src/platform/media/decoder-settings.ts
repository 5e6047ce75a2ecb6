import type { Logger } from '../logging/logger.js';

/** What a video may cost the machine. Beyond it a file is refused as `too-large`. */
export interface VideoLimits {
  /** Pixels. */
  minSide: number;
  /** Pixels. */
  maxWidth: number;
  /** Pixels. */
  maxHeight: number;
  maxFrames: number;
  /** Resident memory of one decoder process, bytes. Only the built-in decoder measures it. */
  maxMemoryBytes: number;
}

export const DEFAULT_VIDEO_LIMITS: VideoLimits = {
  minSide: 16,
  maxWidth: 8192,
  maxHeight: 8192,
  maxFrames: 1_000_000,
  maxMemoryBytes: 4 * 1024 ** 3,
};

/** What every implementation of the decoder is given. */
export interface DecoderSettings {
  logger: Logger;
  /** Threads of one decoder process. */
  threads: number;
  /** A whole probe, which decodes the whole file, has to end within this time. */
  probeTimeoutMs: number;
  /** A decoder that is waited for and makes no progress for this long is ended. */
  frameTimeoutMs: number;
  limits: VideoLimits;
}
