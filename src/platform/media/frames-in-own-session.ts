import type { DecodingSession, FrameRange, VideoFrame } from './video-decoder.port.js';

/** `VideoDecoder.frames` for every decoder that has sessions. */
export async function* framesInOwnSession(
  decoder: { openSession(): DecodingSession },
  path: string,
  range: FrameRange,
  options: { signal: AbortSignal },
): AsyncGenerator<VideoFrame> {
  const session = decoder.openSession();
  try {
    yield* session.frames(path, range, options);
  } finally {
    await session.close();
  }
}
