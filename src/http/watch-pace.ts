import type { PassThrough } from 'node:stream';
import { AppError } from '../platform/app-error.js';

/** A body that brings less than this in a window has no intention to arrive. */
const WINDOW_MS = 60_000;
const MIN_BYTES_PER_WINDOW = 64 * 1024;

/** Watches a body that somebody else reads. */
export function watchPace(stream: PassThrough, onTooSlow: (error: AppError) => void): { stop(): void } {
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
  };
  stream.on('data', count);
  const timer = setInterval(() => {
    if (bytes < MIN_BYTES_PER_WINDOW) {
      onTooSlow(new AppError('request-timeout', `The upload brought ${bytes} bytes in ${WINDOW_MS / 1000} seconds.`));
    }
    bytes = 0;
  }, WINDOW_MS);
  return {
    stop: () => {
      clearInterval(timer);
      stream.off('data', count);
    },
  };
}
