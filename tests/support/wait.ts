import { setTimeout as delay } from 'node:timers/promises';

interface UntilOptions {
  /** Milliseconds after which waiting fails; default 15,000. */
  deadline?: number;
  /** What is waited for, in the message of the failure. */
  what?: string;
}

const POLL_MS = 25;

/**
 * Polls until the condition gives something truthy, and returns that.
 * @throws Error when it has not by the deadline; what the condition throws, at once
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { deadline = 15_000, what = 'the condition' }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + deadline;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Not within ${deadline} ms: ${what}`);
    await delay(POLL_MS);
  }
}
