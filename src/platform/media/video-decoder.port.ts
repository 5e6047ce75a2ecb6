/** What InferNode needs of a video library. The implementation runs in a process of its own. */

export interface VideoInfo {
  /** Short container name as sniffed from the content, e.g. `mp4`, `mov`, `matroska`, `webm`, `avi`. */
  container: string;
  /** Codec name, e.g. `h264`, `hevc`, `vp9`, `av1`, `mpeg4`. */
  codec: string;
  width: number;
  height: number;
  /** Frames that a full decode really yields. */
  frameCount: number;
  /** Average frames per second; null when the container does not say. */
  frameRate: number | null;
  durationSeconds: number;
}

/** Inclusive: start, start + step, … ≤ end. */
export interface FrameRange {
  start: number;
  end: number;
  step: number;
}

export interface VideoFrame {
  /** Zero-based position among the frames a full decode yields. */
  index: number;
  width: number;
  height: number;
  /** Full-range grey, row-major, width × height bytes. */
  gray: Uint8Array;
}

export const MEDIA_PROBLEMS = ['not-a-video', 'no-video-stream', 'unsupported-format', 'corrupt', 'too-large'] as const;
export type MediaProblem = (typeof MEDIA_PROBLEMS)[number];

/** The file's fault: the same file fails the same way each time. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  constructor(
    readonly problem: MediaProblem,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The decoder's fault (its process died, could not start, stopped answering): another try may succeed. */
export class DecoderFailedError extends Error {
  override readonly name = 'DecoderFailedError';
}

/** The decoder's work for one purpose, say a job: what it needs is started once. One call of `frames` at a time. */
export interface DecodingSession {
  /**
   * The frames asked for, in order, decoded only as far as needed and with back-pressure: memory does not grow with
   * the length of the video. Leaving the loop early ends the decoder's work. Going on with later frames of the video
   * that was read last does not start over.
   *
   * Frames that damage has taken are left out: a gap in the indices. Of a video that ends before the range does, also
   * by damage, the frames that there are come first, then a MediaError.
   *
   * @throws MediaError; DecoderFailedError; the signal's reason when aborted
   */
  frames(path: string, range: FrameRange, options: { signal: AbortSignal }): AsyncIterable<VideoFrame>;
  /** Ends what has been started. */
  close(): Promise<void>;
}

/** Pictures are upright: a rotation or mirroring that a file asks for has been applied, also to width and height. */
export interface VideoDecoder {
  /**
   * Sniffs container and codec from the content (never from a name) and counts by a full decode.
   * @throws MediaError for a file that is no intact video; DecoderFailedError; the signal's reason when aborted
   */
  probe(path: string, options: { signal: AbortSignal }): Promise<VideoInfo>;
  /** As in a session of its own. */
  frames: DecodingSession['frames'];
  openSession(): DecodingSession;
  /** Starts what the next call will need, so that it need not wait. Repeating it changes nothing. */
  prepare(): void;
  /** Ends what was prepared and not used. */
  close(): Promise<void>;
}
