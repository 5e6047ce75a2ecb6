import { setTimeout as delay } from 'node:timers/promises';
import { isDatabaseUnavailable } from './database-errors.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

interface Options {
  /** No further try once it fires. */
  signal: AbortSignal;
  /** No further try after this long. */
  forMs: number;
  /** Told of each failure that another try follows. */
  onFailure(error: unknown): void;
}

/**
 * Repeats `work`, later each time, as long as the database is what fails. `work` may have happened although it failed:
 * it has to find that out by itself.
 * @throws the last error of `work`
 */
export async function repeatWhileUnavailable<T>(
  work: () => Promise<T>,
  { signal, forMs, onFailure }: Options,
): Promise<T> {
  const end = performance.now() + forMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseUnavailable(error) || signal.aborted || performance.now() + pause > end) throw error;
      onFailure(error);
    }
    // Called off, it makes its last try at once.
    await Promise.allSettled([delay(pause, undefined, { signal })]);
  }
}
