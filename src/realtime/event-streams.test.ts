import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { LoggedEvent } from '../modules/event/event.domain.js';
import { EventStreams } from './event-streams.js';

/** A connection that takes what it is given, or holds it back. */
class ResponseDouble extends EventEmitter {
  text = '';
  destroyed = false;
  writableEnded = false;
  writableNeedDrain = false;

  constructor(private readonly isTaking: () => boolean) {
    super();
  }

  write(text: string, taken?: () => void): boolean {
    this.text += text;
    this.writableNeedDrain = !this.isTaking();
    if (this.isTaking()) taken?.();
    return this.isTaking();
  }

  end(text: string): void {
    this.text += text;
    this.writableEnded = true;
    this.emit('close');
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const event = (seq: number): LoggedEvent => ({
  seq,
  type: 'TEST_NOTIFICATION',
  data: { message: 'x' },
  createdAt: new Date(0),
});

describe('an event stream', () => {
  let taking: boolean;
  let response: ResponseDouble;
  let unsubscribed: number;

  beforeEach(() => {
    vi.useFakeTimers();
    taking = true;
    unsubscribed = 0;
    response = new ResponseDouble(() => taking);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function start(events: number, failure?: Error): void {
    const streams = new EventStreams({
      bus: {
        start: () => Promise.resolve(),
        close: () => Promise.resolve(),
        subscribe: () => () => unsubscribed++,
      },
      watch: () => () => undefined,
      maxPerUser: 1,
      shutdown: new AbortController().signal,
      logger: silentLogger,
    });
    streams.start(response as unknown as ServerResponse, {
      principal: {
        userId: 'u',
        email: 'u@example.com',
        role: 'user',
        credential: { kind: 'session', id: 's' },
        expiresAt: null,
      },
      after: 0,
      read: (after, limit) => {
        if (failure !== undefined) return Promise.reject(failure);
        const first = after + 1;
        const count = Math.min(limit, events - after);
        return Promise.resolve(Array.from({ length: Math.max(0, count) }, (_, index) => event(first + index)));
      },
      isLast: ({ seq }) => seq === events,
    });
  }

  const sequences = (): number[] => [...response.text.matchAll(/^id: (\d+)\nevent: /gm)].map(([, id]) => Number(id));

  it('sends a long history in batches, and ends behind the last event', async () => {
    start(250);
    await vi.advanceTimersByTimeAsync(0);
    expect(sequences()).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
    expect(response.writableEnded).toBe(true);
    expect(unsubscribed).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps at most one batch for a client that takes nothing, then drops it', async () => {
    taking = false;
    start(250);
    await vi.advanceTimersByTimeAsync(14_000);
    expect(sequences()).toHaveLength(100);
    expect(response.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(response.destroyed).toBe(true);
    expect(sequences()).toHaveLength(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps the line open while nothing happens', async () => {
    start(0);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(response.text.match(/^:$/gm)).toHaveLength(2);
    response.destroy();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends when the log cannot be read, and lets the client come back', async () => {
    start(1, new Error('the database is away'));
    await vi.advanceTimersByTimeAsync(0);
    expect(response.writableEnded).toBe(true);
    expect(response.text).toBe('retry: 2000\nid: 0\n\n');
  });
});
