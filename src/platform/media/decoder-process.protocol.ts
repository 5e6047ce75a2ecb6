import { z } from 'zod';
import { MEDIA_PROBLEMS, type FrameRange } from './video-decoder.port.js';
import type { Container } from './container-inspector.js';
import type { VideoLimits } from './decoder-settings.js';

/**
 * How the decoder process and its parent talk: one request down the IPC channel, messages back up the same way, and
 * frames through a pipe of their own (file descriptor 3), which makes the process wait when nobody reads.
 */

/** The one thing a decoder process is started for. */
export interface DecoderRequest {
  /** Absolute path of a regular file. */
  path: string;
  container: Container;
  threads: number;
  limits: VideoLimits;
  /** The frames to send; null to describe the video instead. */
  range: FrameRange | null;
}

/** Messages of the process. It handles hostile files, so the parent believes nothing that does not fit. */
export const decoderMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), decodedFrames: z.number().int().nonnegative() }),
  z.object({
    type: z.literal('described'),
    video: z.object({
      container: z.string(),
      codec: z.string(),
      width: z.number().int().positive(),
      height: z.number().int().positive(),
      frameCount: z.number().int().positive(),
      frameRate: z.number().positive().nullable(),
      durationSeconds: z.number().nonnegative(),
    }),
  }),
  z.object({ type: z.literal('media-error'), problem: z.enum(MEDIA_PROBLEMS), message: z.string() }),
  z.object({ type: z.literal('decoder-error'), message: z.string() }),
]);
export type DecoderMessage = z.infer<typeof decoderMessageSchema>;

/** File descriptor of the pipe that frames travel through. */
export const FRAME_PIPE = 3;

/** In front of each frame: index, width and height, 32 bits each, little endian. Width × height bytes follow. */
export const FRAME_HEADER_BYTES = 12;

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
