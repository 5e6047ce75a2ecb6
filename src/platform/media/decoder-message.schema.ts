import { z } from 'zod';
import type { DecoderMessage } from './decoder-process.protocol.js';
import { MEDIA_PROBLEMS } from './video-decoder.port.js';

/** Messages of the decoder process. It handles hostile files, so its parent believes nothing that does not fit. */
export const decoderMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), decodedFrames: z.number().int().nonnegative() }),
  z.object({ type: z.literal('sent') }),
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
]) satisfies z.ZodType<DecoderMessage>;
