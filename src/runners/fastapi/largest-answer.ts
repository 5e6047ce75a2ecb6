import { SMALL_ANSWER_BYTES, type RemoteLimits } from '../http-kit/remote-limits.js';

/** A row of velocity and a report on its frame take some 300 bytes, with every digit and generous blanks no more than this. */
const BYTES_PER_FRAME = 2048;

/**
 * What a server may say about so many frames. JSON takes many times its size in memory once it is read, so that the general
 * limit alone would let the answer to a small job cost gigabytes.
 */
export function largestAnswer(frames: number, { answerBytes }: Pick<RemoteLimits, 'answerBytes'>): number {
  return Math.min(answerBytes, SMALL_ANSWER_BYTES + frames * BYTES_PER_FRAME);
}
