import type { VideoFrame } from '../../platform/media/video-decoder.port.js';
import type { FrameBatch } from './servo-request.js';

export interface BatchLimits {
  /** Most frames in one batch. */
  frames: number;
  /** Most bytes of pixels in one batch; a single frame may have more. */
  bytes: number;
}

/** A batch of which it is known whether another one follows. */
export interface PlacedBatch {
  batch: FrameBatch;
  isLast: boolean;
}

/**
 * Puts frames together as they come. A batch is handed out when the first frame behind it is there, or the video has
 * ended: only then it is known whether it is the last, which a model that remembers has to be told. While the receiver
 * works on one, the next is filled, so at most three are in memory.
 *
 * @param limits asked anew for each batch, by its place
 */
export async function* inBatches(
  frames: AsyncIterable<VideoFrame>,
  limits: (batchIndex: number) => BatchLimits,
): AsyncGenerator<PlacedBatch> {
  const filling = aheadByOne(filledBatches(frames, limits));
  let previous: FrameBatch | null = null;
  for await (const batch of filling) {
    if (previous !== null) yield { batch: previous, isLast: false };
    previous = batch;
  }
  if (previous !== null) yield { batch: previous, isLast: true };
}

/** The first `count` frames of a batch, and the others. */
export function splitBatch(batch: FrameBatch, count: number): [FrameBatch, FrameBatch] {
  const end = count * batch.width * batch.height;
  const { indices, pixels } = batch;
  return [
    { ...batch, indices: indices.slice(0, count), pixels: pixels.subarray(0, end) },
    { ...batch, indices: indices.slice(count), pixels: pixels.subarray(end) },
  ];
}

async function* filledBatches(
  frames: AsyncIterable<VideoFrame>,
  limits: (batchIndex: number) => BatchLimits,
): AsyncGenerator<FrameBatch> {
  let open: VideoFrame[] = [];
  let batchIndex = 0;
  for await (const frame of frames) {
    if (open.length > 0 && !fits(frame, open, limits(batchIndex))) {
      yield joined(open);
      open = [];
      batchIndex++;
    }
    open.push(frame);
  }
  if (open.length > 0) yield joined(open);
}

function fits(frame: VideoFrame, [first, ...others]: readonly VideoFrame[], limits: BatchLimits): boolean {
  const count = others.length + 2;
  const hasSameSize = frame.width === first.width && frame.height === first.height;
  return hasSameSize && count <= limits.frames && count * first.gray.byteLength <= limits.bytes;
}

function joined(frames: readonly VideoFrame[]): FrameBatch {
  const [{ width, height }] = frames;
  return {
    indices: frames.map(({ index }) => index),
    width,
    height,
    pixels: frames.length === 1 ? frames[0].gray : Buffer.concat(frames.map(({ gray }) => gray)),
  };
}

/** Begins with the next value while the receiver is at work on the one before. */
async function* aheadByOne<Value>(values: AsyncGenerator<Value>): AsyncGenerator<Value> {
  let next = outcomeOf(values.next());
  try {
    for (;;) {
      const take = await next;
      const result = take();
      if (result.done === true) return;
      next = outcomeOf(values.next());
      yield result.value;
    }
  } finally {
    await next;
    await values.return(undefined);
  }
}

/** A failure that nobody looks at yet is kept until somebody does. */
function outcomeOf<Result>(work: Promise<Result>): Promise<() => Result> {
  return work.then(
    (result) => () => result,
    (error: unknown) => () => {
      throw error;
    },
  );
}
