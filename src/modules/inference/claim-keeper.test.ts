import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import type { RunProgress } from '../../runners/runner.port.js';
import { ClaimKeeper } from './claim-keeper.js';

type Renewal = { cancelRequested: boolean } | null | 'fails' | 'hangs';

describe('ClaimKeeper', () => {
  let shutdown: AbortController;
  let renewals: (RunProgress | null)[];
  let logged: RunProgress[];
  let answer: Renewal;
  let keeper: ClaimKeeper;

  beforeEach(() => {
    vi.useFakeTimers();
    shutdown = new AbortController();
    renewals = [];
    logged = [];
    answer = { cancelRequested: false };
  });
  afterEach(async () => {
    answer = null;
    vi.useRealTimers();
  });

  function keep(timeoutSeconds = 1000): void {
    keeper = new ClaimKeeper({
      leaseSeconds: 9,
      timeoutSeconds,
      logger: silentLogger,
      shutdown: shutdown.signal,
      renewed: () => undefined,
      logProgress: (progress) => void logged.push(progress),
      renew: (progress) => {
        renewals.push(progress);
        if (answer === 'hangs') return new Promise(() => undefined);
        return answer === 'fails' ? Promise.reject(new Error('away')) : Promise.resolve(answer);
      },
    });
  }

  const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

  it('renews three times in a lease when there is nothing to tell', async () => {
    keep();
    await pass(18.5);
    expect(renewals.length).toBeGreaterThanOrEqual(5);
    expect(renewals.length).toBeLessThanOrEqual(7);
    expect(renewals.every((progress) => progress === null)).toBe(true);
    expect(logged).toEqual([]);
    expect(keeper.signal.aborted).toBe(false);
    await keeper.close();
  });

  it('carries progress once a second, and into the log in steps of a twentieth', async () => {
    keep();
    for (let processed = 1; processed <= 100; processed++) {
      keeper.report({ processed, total: 100 });
      await pass(1);
    }
    expect(renewals.filter((progress) => progress !== null).length).toBeGreaterThan(90);
    expect(logged.length).toBeGreaterThan(10);
    expect(logged.length).toBeLessThanOrEqual(20);
    await keeper.close();
  });

  it('stops the run when the claim is lost', async () => {
    keep();
    answer = null;
    await pass(4);
    expect(keeper.stopReason).toBe('claim-lost');
    await keeper.close();
  });

  it('stops the run when its owner wants that', async () => {
    keep();
    answer = { cancelRequested: true };
    await pass(4);
    expect(keeper.stopReason).toBe('cancel-requested');
    await keeper.close();
  });

  it('asks the row at once when it is told to, also while it is asking', async () => {
    keep();
    await pass(0.1);
    keeper.check();
    keeper.check();
    await pass(0);
    expect(renewals).toHaveLength(2);
    answer = { cancelRequested: true };
    keeper.check();
    await pass(0);
    expect(keeper.stopReason).toBe('cancel-requested');
    await keeper.close();
    keeper.check();
    await pass(100);
    expect(renewals).toHaveLength(3);
  });

  it('stops the run at its deadline', async () => {
    keep(20);
    await pass(19);
    expect(keeper.stopReason).toBeUndefined();
    await pass(2);
    expect(keeper.stopReason).toBe('timeout');
    await keeper.close();
  });

  it('stops the run at the shutdown, also at one that has begun before', async () => {
    keep();
    shutdown.abort();
    expect(keeper.stopReason).toBe('shutdown');
    await keeper.close();
    keep();
    expect(keeper.stopReason).toBe('shutdown');
    await keeper.close();
  });

  it('bears with a database that is away for less than a lease', async () => {
    keep();
    answer = 'fails';
    await pass(6);
    answer = { cancelRequested: false };
    await pass(10);
    expect(keeper.signal.aborted).toBe(false);
    await keeper.close();
  });

  it.each(['fails', 'hangs'] as const)('lets the run go on for leases in which renewing %s', async (how) => {
    keep();
    answer = how;
    await pass(60);
    expect(keeper.stopReason).toBeUndefined();
    if (how === 'fails') await keeper.close();
  });

  it('stops the run as soon as the database is back and says that the claim is lost', async () => {
    keep();
    answer = 'fails';
    await pass(60);
    answer = null;
    await pass(2);
    expect(keeper.stopReason).toBe('claim-lost');
    await keeper.close();
  });

  it('keeps its first reason, and does nothing after its end', async () => {
    keep(5);
    shutdown.abort();
    await pass(10);
    expect(keeper.stopReason).toBe('shutdown');
    await keeper.close();
    const { length } = renewals;
    await pass(100);
    expect(renewals).toHaveLength(length);
  });
});
