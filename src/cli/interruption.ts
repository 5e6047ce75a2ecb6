/** A person or the system wants the command to end. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const PARENT_CHECK_MS = 1_000;

export interface Interruption {
  signal: AbortSignal;
  end(): void;
}

/**
 * Aborts on the first of Ctrl-C, SIGTERM, a closed terminal and, under npm, the end of the shell npm started us with:
 * that one passes no signal on. What comes after the first changes nothing: the end is under way and has a deadline.
 */
export function watchForInterruption(env: NodeJS.ProcessEnv): Interruption {
  const controller = new AbortController();
  const interrupt = (reason: string): void => controller.abort(new InterruptedError(reason));
  const onSignal = (signal: NodeJS.Signals): void => interrupt(signal);
  for (const name of SIGNALS) process.on(name, onSignal);
  const parent = process.ppid;
  const parentCheck = setInterval(() => {
    if (env.npm_lifecycle_event !== undefined && process.ppid !== parent) interrupt('npm has ended');
  }, PARENT_CHECK_MS);
  parentCheck.unref();
  return {
    signal: controller.signal,
    end: () => {
      clearInterval(parentCheck);
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
