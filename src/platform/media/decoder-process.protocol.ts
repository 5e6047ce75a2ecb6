import type { Container } from './container-inspector.js';
import type { VideoLimits } from './decoder-settings.js';
import type { FrameRange, MediaProblem, VideoInfo } from './video-decoder.port.js';

/**
 * How the decoder process and its parent talk: requests down the IPC channel, one at a time, messages back up the same
 * way, and frames through a pipe of their own (file descriptor 3), which makes the process wait when nobody reads.
 * This module is loaded with each decoder process, so it imports types only.
 */

export interface DecoderRequest {
  /** Absolute path of a regular file. */
  path: string;
  container: Container;
  limits: VideoLimits;
  /** The frames to send; null to describe the video instead. */
  range: FrameRange | null;
}

/** What the process says. Every request gets one answer, and signs of progress before it. */
export type DecoderMessage =
  | { type: 'progress'; decodedFrames: number }
  /** All frames asked for have been sent, except those that damage has taken. */
  | { type: 'sent' }
  | { type: 'described'; video: VideoInfo }
  | { type: 'media-error'; problem: MediaProblem; message: string }
  | { type: 'decoder-error'; message: string };

/** File descriptor of the pipe that frames travel through. */
export const FRAME_PIPE = 3;

/** In front of each frame: index, width and height, 32 bits each, little endian. Width x height bytes follow. */
export const FRAME_HEADER_BYTES = 12;

/** The index in a header without a frame: the request is done, and its answer tells how. */
export const END_OF_FRAMES = 0xffff_ffff;

export interface FrameHeader {
  index: number;
  width: number;
  height: number;
}

export function writeFrameHeader({ index, width, height }: FrameHeader): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(width, 4);
  bytes.writeUInt32LE(height, 8);
  return bytes;
}

export function readFrameHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  return { index: view.getUint32(0, true), width: view.getUint32(4, true), height: view.getUint32(8, true) };
}
