import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { LoggedEvent } from '../modules/event/event.domain.js';
import { ClientConnection } from './client-connection.js';

const USER = '550e8400-e29b-41d4-a716-446655440000';

/** A socket whose other side decides when what was sent is taken. */
class SocketDouble extends EventEmitter {
  readonly OPEN = 1;
  readonly readyState = 1;
  readonly sent: { type: string; seq?: number; lastSeq?: number }[] = [];
  readonly closedWith: number[] = [];
  terminated = false;
  pings = 0;

  constructor(private readonly takes: () => boolean) {
    super();
  }

  send(text: string, taken?: () => void): void {
    this.sent.push(JSON.parse(text) as { type: string });
    if (this.takes()) taken?.();
  }

  close(code: number): void {
    this.closedWith.push(code);
  }

  terminate(): void {
    this.terminated = true;
  }

  ping(): void {
    this.pings++;
  }
}

function eventsAfter(count: number) {
  return (_userId: string, seq: number, limit: number): Promise<LoggedEvent[]> =>
    Promise.resolve(
      Array.from({ length: Math.min(limit, count - seq) }, (_, index) => ({
        seq: seq + index + 1,
        type: 'INFERENCE_STATUS_UPDATE' as const,
        data: { inferenceId: USER, status: 'RUNNING' as const },
        createdAt: new Date(),
      })),
    );
}

describe('a client connection', () => {
  let taking: boolean;
  let socket: SocketDouble;
  let endAccess: (reason: string) => void;

  beforeEach(() => {
    vi.useFakeTimers();
    taking = true;
    socket = new SocketDouble(() => taking);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function connect(events: number, lastSeq: number): ClientConnection {
    const connection = new ClientConnection(socket as unknown as WebSocket, {
      enter: () => Promise.resolve(true),
      leave: () => undefined,
      authenticate: () =>
        Promise.resolve({
          userId: USER,
          email: 'user@example.com',
          role: 'user',
          credential: { kind: 'session', id: USER },
          expiresAt: null,
        }),
      watch: (_principal, onEnd) => {
        endAccess = onEnd;
        return () => undefined;
      },
      events: { readAfter: eventsAfter(events), bounds: () => Promise.resolve({ first: 1, last: events }) },
      logger: silentLogger,
    });
    connection.begin(null);
    socket.emit('message', Buffer.from(JSON.stringify({ type: 'authenticate', token: 'x', lastSeq })), false);
    return connection;
  }

  it('sends a long history in batches, each once the one before is taken', async () => {
    connect(250, 0);
    await vi.advanceTimersByTimeAsync(0);
    const sequences = socket.sent.filter(({ type }) => type === 'notification').map(({ seq }) => seq);
    expect(sequences).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
  });

  it('keeps at most one batch for a client that takes nothing, then tells it where to go on and drops it', async () => {
    connect(250, 20);
    taking = false;
    await vi.advanceTimersByTimeAsync(14_000);
    expect(socket.sent.filter(({ type }) => type === 'notification')).toHaveLength(100);
    expect(socket.closedWith).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(socket.sent.at(-1)).toMatchObject({ type: 'resync', lastSeq: 20 });
    expect(socket.closedWith).toEqual([1013]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.terminated).toBe(true);
  });

  it('ends with its access', async () => {
    connect(0, 0);
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.closedWith).toEqual([]);
    endAccess('The access has been ended.');
    expect(socket.sent.at(-1)).toMatchObject({ type: 'error', code: 'invalid-token' });
    expect(socket.closedWith).toEqual([1008]);
  });

  it('counts a socket that leaves a ping unanswered as gone', async () => {
    const connection = connect(0, 0);
    connection.ping();
    socket.emit('pong');
    connection.ping();
    expect(socket.terminated).toBe(false);
    connection.ping();
    expect(socket.terminated).toBe(true);
    expect(socket.pings).toBe(2);
  });

  it('sends nothing after its end', async () => {
    const connection = connect(250, 0);
    connection.end();
    connection.wake();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(socket.sent.map(({ type }) => type)).toEqual(['connection']);
  });
});
