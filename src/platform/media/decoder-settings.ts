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
  /** A whole probe, which decodes the whole file, has to end within this time. */
  probeTimeoutMs: number;
  /** A decoder that is waited for and makes no progress for this long is ended. */
  frameTimeoutMs: number;
  limits: VideoLimits;
}

/**
 * With several threads FFmpeg hands a picture out before the thread that decodes it has found the damage in it: in
 * FFmpeg 5 each time, in FFmpeg 8 now and then. Whether a file is intact, and which of its pictures are, must not depend
 * on luck. Decoding takes its time beside the search for keypoints anyway, which takes longer for a picture of any size.
 */
export const DECODER_THREADS = 1;

/**
 * The largest picture a decoder may take memory for, in pixels, so that one that grows in the middle of a stream is
 * refused. Codecs round the sides up to whole blocks first, hence the margin; the limits proper are checked besides.
 */
export function maxPixels({ maxWidth, maxHeight }: VideoLimits): number {
  return (maxWidth + 256) * (maxHeight + 256);
}
