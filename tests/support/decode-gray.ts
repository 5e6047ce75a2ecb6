import { createVideoDecoder } from '../../src/platform/media/create-video-decoder.js';
import { silentLogger } from './silent-logger.js';
import type { GrayFrame } from './textured-frame.js';

/** All frames of a video, in order. */
export async function decodeGray(path: string): Promise<GrayFrame[]> {
  const decoder = createVideoDecoder({ logger: silentLogger });
  const signal = AbortSignal.timeout(60_000);
  const frames: GrayFrame[] = [];
  const { frameCount } = await decoder.probe(path, { signal });
  for await (const frame of decoder.frames(path, { start: 0, end: frameCount - 1, step: 1 }, { signal })) {
    frames.push({ gray: frame.gray, width: frame.width, height: frame.height });
  }
  return frames;
}
