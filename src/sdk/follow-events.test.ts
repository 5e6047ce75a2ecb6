import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ClientMessage, ServerMessage } from '../contract/events.contract.js';
import { EventsGoneError, EventsRefusedError } from './event-socket.js';
import { followEvents, type Notification } from './follow-events.js';

const ID = '550e8400-e29b-41d4-a716-446655440000';
const timestamp = '2026-07-15T10:30:00.000Z';

describe('following events', () => {
  let server: WebSocketServer | undefined;
  afterEach(async () => {
    for (const socket of server?.clients ?? []) socket.terminate();
    await new Promise<unknown>((closed) => (server === undefined ? closed(null) : server.close(closed)));
    server = undefined;
  });

  /** A server that answers each authentication by the next of the scripts. */
  const serve = async (...scripts: ((socket: WebSocket, lastSeq: number | undefined) => void)[]) => {
    const asked: (number | undefined)[] = [];
    server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws' });
    server.on('connection', (socket) => {
      socket.on('message', (data) => {
        const message = JSON.parse((data as Buffer).toString()) as Extract<ClientMessage, { type: 'authenticate' }>;
        asked.push(message.lastSeq);
        scripts[Math.min(asked.length, scripts.length) - 1](socket, message.lastSeq);
      });
    });
    await once(server, 'listening');
    return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  };

  it('goes on behind the last event after a lost connection, and leaves out what came twice', async () => {
    const { baseUrl, asked } = await serve(
      (socket) => {
        admit(socket, 4);
        for (const seq of [5, 6]) notify(socket, seq);
        socket.close(1001);
      },
      (socket) => {
        admit(socket, 6);
        for (const seq of [6, 7]) notify(socket, seq);
      },
    );
    expect(await collect(baseUrl, 7)).toEqual([5, 6, 7]);
    expect(asked).toEqual([undefined, 6]);
  });

  it('asks again when an event is missing', async () => {
    const { baseUrl, asked } = await serve(
      (socket) => {
        admit(socket, 0);
        for (const seq of [1, 3]) notify(socket, seq);
      },
      (socket) => {
        admit(socket, 1);
        for (const seq of [2, 3]) notify(socket, seq);
      },
    );
    expect(await collect(baseUrl, 3)).toEqual([1, 2, 3]);
    expect(asked).toEqual([undefined, 1]);
  });

  it('ends when the token is refused, without a second try', async () => {
    const { baseUrl, asked } = await serve((socket) => {
      send(socket, { type: 'error', code: 'invalid-token', message: 'The token has expired.', timestamp });
      socket.close(1008);
    });
    await expect(collect(baseUrl, 1)).rejects.toBeInstanceOf(EventsRefusedError);
    expect(asked).toHaveLength(1);
  });

  it('ends when the events are gone, and tells where to go on', async () => {
    const { baseUrl, asked } = await serve((socket) => {
      admit(socket, 2);
      send(socket, { type: 'resync', reason: 'gone', lastSeq: 40, timestamp });
      socket.close(1013);
    });
    const error = await collect(baseUrl, 50).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EventsGoneError);
    expect(error).toMatchObject({ lastSeq: 40 });
    expect(asked).toHaveLength(1);
  });

  it('ends with what the listener throws', async () => {
    const { baseUrl } = await serve((socket) => {
      admit(socket, 0);
      notify(socket, 1);
    });
    const onEvent = (): never => {
      throw new RangeError('enough');
    };
    const following = followEvents({ baseUrl, token: 'token', signal: new AbortController().signal, onEvent });
    await expect(following).rejects.toThrow(RangeError);
  });

  it('gives up when there is nobody for too long', async () => {
    const { baseUrl } = await serve(() => undefined);
    await new Promise((closed) => server?.close(closed));
    server = undefined;
    const signal = new AbortController().signal;
    await expect(
      followEvents({ baseUrl, token: 'token', signal, onEvent: () => undefined, giveUpAfterMs: 1 }),
    ).rejects.toThrow(/ECONNREFUSED/);
  });
});

async function collect(baseUrl: string, last: number): Promise<number[]> {
  const seen: number[] = [];
  const finished = new AbortController();
  await followEvents({
    baseUrl,
    token: 'token',
    signal: finished.signal,
    onEvent: ({ seq }) => {
      seen.push(seq);
      if (seq === last) finished.abort();
    },
  });
  return seen;
}

function admit(socket: WebSocket, seq: number): void {
  send(socket, { type: 'authenticated', data: { success: true, userId: ID, seq }, timestamp });
}

function notify(socket: WebSocket, seq: number): void {
  const event: Notification = {
    type: 'notification',
    event: 'INFERENCE_STATUS_UPDATE',
    seq,
    data: { inferenceId: ID, status: 'RUNNING' },
    timestamp,
  };
  send(socket, event);
}

function send(socket: WebSocket, message: ServerMessage): void {
  socket.send(JSON.stringify(message));
}
