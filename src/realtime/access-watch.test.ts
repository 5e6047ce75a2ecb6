import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { Principal } from '../modules/account/account.domain.js';
import type { EventListener } from '../platform/events/event-bus.port.js';
import { AccessWatch } from './access-watch.js';

const principal = (userId: string, expiresInMs: number | null): Principal => ({
  userId,
  email: 'user@example.com',
  role: 'user',
  credential: { kind: 'session', id: userId },
  expiresAt: expiresInMs === null ? null : new Date(Date.now() + expiresInMs),
});

describe('AccessWatch', () => {
  let tell: EventListener;
  let counts: (principal: Principal) => Promise<boolean>;
  let watch: AccessWatch;
  let ended: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    counts = () => Promise.resolve(true);
    ended = [];
    watch = new AccessWatch({
      stillCounts: (asked) => counts(asked),
      bus: {
        subscribe: (listener) => {
          tell = listener;
          return () => undefined;
        },
      },
      logger: silentLogger,
    });
  });
  afterEach(() => {
    watch.close();
    vi.useRealTimers();
  });

  const follow = (userId: string, expiresInMs: number | null = null) =>
    watch.watch(principal(userId, expiresInMs), () => ended.push(userId));

  it('ends a connection with its token, however far away that is', async () => {
    const forty = 40 * 24 * 3_600_000;
    follow('soon', 60_000);
    follow('late', forty);
    follow('never');
    await vi.advanceTimersByTimeAsync(59_000);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ended).toEqual(['soon']);
    await vi.advanceTimersByTimeAsync(forty);
    expect(ended).toEqual(['soon', 'late']);
  });

  it('asks again about the user whose access has changed, and about all after a gap', async () => {
    for (const userId of ['one', 'two', 'three']) follow(userId);
    await vi.advanceTimersByTimeAsync(0);
    counts = ({ userId }) => Promise.resolve(userId === 'three');
    tell('one');
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toEqual(['one']);
    tell(null);
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toEqual(['one', 'two']);
  });

  it('ends a connection whose access was gone before anybody could tell', async () => {
    counts = () => Promise.resolve(false);
    follow('late');
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toEqual(['late']);
  });

  it('asks until it gets an answer', async () => {
    let away = true;
    counts = () => (away ? Promise.reject(new Error('the database is away')) : Promise.resolve(false));
    follow('one');
    await vi.advanceTimersByTimeAsync(12_000);
    expect(ended).toEqual([]);
    away = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ended).toEqual(['one']);
  });

  it('leaves those alone that have ended by themselves', async () => {
    const leave = follow('one', 1_000);
    leave();
    counts = () => Promise.resolve(false);
    tell(null);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended).toEqual([]);
  });
});
