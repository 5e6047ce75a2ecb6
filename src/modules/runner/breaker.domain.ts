/**
 * Circuit breaker (M. Nygard, "Release It!", 2nd edition 2018, chapter 5): a runner that failed several jobs in a row by
 * its own fault gets none for a while; then one, whose end decides. All of it is kept in the runner's row, so that every
 * worker acts on the same state.
 */
export const BREAKER_STATES = ['CLOSED', 'OPEN', 'HALF_OPEN'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

export interface Breaker {
  state: BreakerState;
  /** Failures in a row. */
  failures: number;
  /** Openings without a success between them. */
  openings: number;
  /** End of the pause; null unless OPEN. */
  openedUntil: Date | null;
}

export interface BreakerRules {
  /** Failures in a row that open it. */
  failures: number;
  /** First pause, seconds; each one after another failure is twice as long. */
  pauseSeconds: number;
  /** Longest pause, seconds. */
  longestPauseSeconds: number;
}

export const CLOSED_BREAKER: Breaker = { state: 'CLOSED', failures: 0, openings: 0, openedUntil: null };

/**
 * Whether another job may go to the runner. After the pause it is one at a time: while that one runs, no other.
 * @param inFlight jobs that run on it now
 */
export function admits({ state, openedUntil }: Breaker, inFlight: number, now: Date): boolean {
  if (state === 'CLOSED') return true;
  if (state === 'OPEN' && openedUntil !== null && openedUntil > now) return false;
  return inFlight === 0;
}

/** What becomes of it when it lets a job through. */
export function afterAdmission(breaker: Breaker): Breaker {
  return breaker.state === 'OPEN' ? { ...breaker, state: 'HALF_OPEN', openedUntil: null } : breaker;
}

/** A job began and ended well there. That of a job from before the pause says nothing about the time since. */
export function afterSuccess(breaker: Breaker): Breaker {
  return breaker.state === 'OPEN' ? breaker : CLOSED_BREAKER;
}

/** A job failed by the fault of the runner. */
export function afterFailure(breaker: Breaker, rules: BreakerRules, now: Date): Breaker {
  // Jobs from before the pause may fail during it: that is known already.
  if (breaker.state === 'OPEN') return breaker;
  const failures = breaker.failures + 1;
  if (breaker.state === 'CLOSED' && failures < rules.failures) return { ...breaker, failures };
  const openings = breaker.openings + 1;
  const pauseSeconds = pauseOf(openings, rules);
  return { state: 'OPEN', failures, openings, openedUntil: new Date(now.getTime() + pauseSeconds * 1000) };
}

/** @param openings at least 1 */
export function pauseOf(openings: number, { pauseSeconds, longestPauseSeconds }: BreakerRules): number {
  return Math.min(pauseSeconds * 2 ** (openings - 1), longestPauseSeconds);
}
