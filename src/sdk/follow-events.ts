import { setTimeout as pause } from 'node:timers/promises';
import type { Notification } from '../contract/events.contract.js';
import { EventSocket } from './event-socket.js';

export type { Notification } from '../contract/events.contract.js';

export interface FollowOptions {
  baseUrl: string;
  token: string;
  /** Position seen last: everything after it is delivered. Left out: what happens from now on. */
  lastSeq?: number;
  /** Ends the following. */
  signal: AbortSignal;
  /** Each event once, in order, without gaps. What it throws ends the following. */
  onEvent(event: Notification): void;
  /** The server has accepted the token and delivers from behind this position. Again after every reconnection. */
  onConnect?(seq: number): void;
  /** Longest time without a connection before giving up; default one minute. */
  giveUpAfterMs?: number;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const GIVE_UP_MS = 60_000;

/**
 * Follows the user's event log on the WebSocket `/ws`, and goes on behind the last event when a connection is lost.
 * Resolves when the signal fires.
 *
 * @throws EventsRefusedError when the server does not accept the token; EventsGoneError when what follows `lastSeq` is
 *   no longer kept; what `onEvent` throws; the last connection's
 *   error when there was none for too long
 */
export async function followEvents(options: FollowOptions): Promise<void> {
  const { signal, giveUpAfterMs = GIVE_UP_MS } = options;
  let { lastSeq } = options;
  let lostAt = performance.now();
  let failures = 0;
  while (!signal.aborted) {
    const socket = new EventSocket({
      ...options,
      lastSeq,
      onConnect: (seq) => {
        lastSeq = seq;
        failures = 0;
        options.onConnect?.(seq);
      },
      onEvent: (event) => {
        lastSeq = event.seq;
        options.onEvent(event);
      },
    });
    const { error, wasConnected } = await socket.ended;
    if (wasConnected) lostAt = performance.now();
    if (signal.aborted) return;
    if (performance.now() - lostAt > giveUpAfterMs) throw error;
    await waitBefore(failures++, signal);
  }
}

/** Doubling, with jitter, so that the clients of a restarted server do not come all at once. */
async function waitBefore(attempt: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
  try {
    await pause(longest * (0.5 + Math.random() / 2), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
