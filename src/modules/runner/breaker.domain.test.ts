import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  admits,
  afterAdmission,
  afterFailure,
  afterSuccess,
  CLOSED_BREAKER,
  pauseOf,
  type Breaker,
} from './breaker.domain.js';

const RULES = { failures: 3, pauseSeconds: 10, longestPauseSeconds: 60 };
const NOW = new Date('2026-07-15T10:00:00Z');
const later = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

const failing = (times: number, from: Breaker = CLOSED_BREAKER): Breaker =>
  Array.from({ length: times }).reduce<Breaker>((breaker) => afterFailure(breaker, RULES, NOW), from);

describe('the breaker of a runner', () => {
  it('opens after so many failures in a row, not before', () => {
    expect(failing(2)).toEqual({ state: 'CLOSED', failures: 2, openings: 0, openedUntil: null });
    expect(failing(3)).toEqual({ state: 'OPEN', failures: 3, openings: 1, openedUntil: later(10) });
    expect(afterFailure(afterSuccess(failing(2)), RULES, NOW)).toMatchObject({ state: 'CLOSED', failures: 1 });
  });

  it('admits nobody during its pause, then one at a time', () => {
    const open = failing(3);
    expect(admits(open, 0, later(9))).toBe(false);
    expect(admits(open, 0, later(10))).toBe(true);
    expect(admits(open, 1, later(10))).toBe(false);
    const half = afterAdmission(open);
    expect(half).toEqual({ ...open, state: 'HALF_OPEN', openedUntil: null });
    expect(admits(half, 1, later(100))).toBe(false);
    // The worker of that one died: another may try.
    expect(admits(half, 0, later(100))).toBe(true);
  });

  it('pauses twice as long after each trial that failed, up to a limit, and forgets with a success', () => {
    const trial = (breaker: Breaker): Breaker => afterFailure(afterAdmission(breaker), RULES, NOW);
    let breaker = failing(3);
    for (const seconds of [20, 40, 60, 60]) {
      breaker = trial(breaker);
      expect(breaker.openedUntil).toEqual(later(seconds));
    }
    expect(afterSuccess(afterAdmission(breaker))).toEqual(CLOSED_BREAKER);
  });

  it('learns nothing during its pause from jobs of before', () => {
    const open = failing(3);
    expect(afterSuccess(open)).toBe(open);
    expect(afterFailure(open, RULES, later(5))).toBe(open);
  });

  it('keeps its word whatever happens', () => {
    const step = fc.constantFrom('fail', 'succeed', 'admit', 'wait');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, failures) => {
        const rules = { ...RULES, failures };
        let breaker = CLOSED_BREAKER;
        let now = NOW;
        for (const what of steps) {
          if (what === 'fail') breaker = afterFailure(breaker, rules, now);
          if (what === 'succeed') breaker = afterSuccess(breaker);
          if (what === 'admit' && admits(breaker, 0, now)) breaker = afterAdmission(breaker);
          if (what === 'wait') now = new Date(now.getTime() + 7_000);
          expect(breaker.openedUntil !== null).toBe(breaker.state === 'OPEN');
          expect(breaker.state === 'CLOSED' && breaker.failures >= failures).toBe(false);
          expect(breaker.state === 'CLOSED' && breaker.openings > 0).toBe(false);
          if (breaker.openedUntil !== null) {
            expect(breaker.openedUntil.getTime() - now.getTime()).toBeLessThanOrEqual(rules.longestPauseSeconds * 1000);
          }
        }
        // Nothing is lost for good: after the longest pause a job gets through.
        expect(admits(breaker, 0, new Date(now.getTime() + 60_000))).toBe(true);
      }),
    );
  });

  it('has pauses that never shrink', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), (openings) => {
        expect(pauseOf(openings + 1, RULES)).toBeGreaterThanOrEqual(pauseOf(openings, RULES));
      }),
    );
  });
});
