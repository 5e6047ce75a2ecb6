import {
  RunnerBusyError,
  RunnerCheckpointError,
  RunnerError,
  RunnerStorageError,
} from '../../runners/runner.errors.js';

/** What the end of a run tells about its runner. `nothing`: it was stopped, or something else failed. */
export type RunnerVerdict = 'well' | 'failed' | 'nothing';

/** Longest time that a runner is left alone because it asks for that. */
const LONGEST_PAUSE_SECONDS = 3600;
/** Pause of a full runner that does not say when to come again, for each attempt that the job has made. */
const BUSY_PAUSE_SECONDS = 2;
const LONGEST_BUSY_PAUSE_SECONDS = 60;
/** Shortest pause: each try leaves an attempt behind, and a runner may be full for ever and ask to be tried at once. */
const SHORTEST_PAUSE_SECONDS = 0.5;
const MORE_PER_ATTEMPT_SECONDS = 0.1;
const LONGEST_SHORTEST_PAUSE_SECONDS = 10;

/** @param error what the run ended with */
export function verdictOf(error: unknown): RunnerVerdict {
  if (!(error instanceof RunnerError)) return 'nothing';
  // Neither our disk nor what we kept of a job is the doing of the runner.
  if (error instanceof RunnerStorageError || error instanceof RunnerCheckpointError) return 'nothing';
  if (error.fault === 'platform') return 'failed';
  // It looked at the input and found it wanting: it works.
  return error.fault === 'user' ? 'well' : 'nothing';
}

/**
 * @param attempt number of the attempt that ended so
 * @returns seconds for which the runner is to be left alone; null when it did not ask for that
 */
export function pauseAskedBy(error: unknown, attempt: number): number | null {
  if (!(error instanceof RunnerError)) return null;
  const untold = Math.min(BUSY_PAUSE_SECONDS * attempt, LONGEST_BUSY_PAUSE_SECONDS);
  const asked = error.retryAfterSeconds ?? (error instanceof RunnerBusyError ? untold : null);
  if (asked === null || Number.isNaN(asked)) return null;
  const least = Math.min(SHORTEST_PAUSE_SECONDS + MORE_PER_ATTEMPT_SECONDS * attempt, LONGEST_SHORTEST_PAUSE_SECONDS);
  return Math.min(Math.max(asked, least), LONGEST_PAUSE_SECONDS);
}
