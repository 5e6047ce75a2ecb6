import type { ServerResponse } from 'node:http';
import type { EventBus } from '../platform/events/event-bus.port.js';
import type { Principal } from '../modules/account/account.domain.js';
import type { LoggedEvent } from '../modules/event/event.domain.js';
import { presentEvent } from '../modules/event/event.presenter.js';
import { AppError } from '../platform/app-error.js';
import type { Logger } from '../platform/logging/logger.js';
import { LogFollower, type FollowEnd } from './log-follower.js';

interface Deps {
  bus: EventBus;
  /** Tells when the access that a token gave has ended. @returns to be called when nobody needs to know any more */
  watch(principal: Principal, onEnd: (reason: string) => void): () => void;
  /** Streams of one user on this process. */
  maxPerUser: number;
  shutdown: AbortSignal;
  logger: Logger;
}

export interface StreamRequest {
  principal: Principal;
  /** The position behind which the next event is. */
  after: number;
  /** @throws EventsGoneError */
  read(after: number, limit: number): Promise<LoggedEvent[]>;
  /** Whether nothing can follow this event. */
  isLast(event: LoggedEvent): boolean;
}

/** Proxies and browsers give up on connections that are silent; half of the shortest patience that is common. */
const HEARTBEAT_MS = 15_000;
/** How long a client waits before it comes back. */
const RETRY_MS = 2_000;

/** Server-sent events: one answer per client, which follows the log until either side has enough. */
export class EventStreams {
  private readonly open = new Map<string, number>();

  constructor(private readonly deps: Deps) {}

  /** @throws AppError too-many-requests, service-unavailable */
  start(response: ServerResponse, request: StreamRequest): void {
    const { userId } = request.principal;
    if (this.deps.shutdown.aborted) throw new AppError('service-unavailable', 'The server is shutting down.');
    const count = this.open.get(userId) ?? 0;
    if (count >= this.deps.maxPerUser) throw new AppError('too-many-requests', 'This user has too many event streams.');
    this.open.set(userId, count + 1);
    response.once('close', () => {
      const left = (this.open.get(userId) ?? 1) - 1;
      if (left > 0) this.open.set(userId, left);
      else this.open.delete(userId);
    });
    follow(response, request, this.deps);
  }
}

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
function follow(response: ServerResponse, request: StreamRequest, { bus, watch, shutdown, logger }: Deps): void {
  const { principal, after, read, isLast } = request;
  const follower = new LogFollower({
    after,
    read,
    deliver: async (events) => {
      await send(response, events.map(toBlock).join(''));
      if (events.some(isLast)) finish();
    },
    onEnd: (end) => {
      if (end.kind === 'failed') logger.warn('The events of a stream could not be read', { error: end.error });
      finish(farewell(end, follower.position));
    },
  });
  const finish = (block = ''): void => {
    follower.end();
    // What a client does not take is not waited for.
    if (response.writableNeedDrain) response.destroy();
    else response.end(block);
  };
  const endOnShutdown = (): void => finish();
  const unsubscribe = bus.subscribe((userId) => {
    if (userId === null || userId === principal.userId) follower.wake();
  });
  const unwatch = watch(principal, (reason) => finish(`: ${reason}\n\n`));
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n');
  }, HEARTBEAT_MS);
  shutdown.addEventListener('abort', endOnShutdown, { once: true });
  response.once('close', () => {
    follower.end();
    clearInterval(heartbeat);
    unsubscribe();
    unwatch();
    shutdown.removeEventListener('abort', endOnShutdown);
  });
  // A broken connection ends in `close`, which is all there is to do about it.
  response.on('error', (error) => logger.debug('An event stream broke', { error }));
  // The position first: a client that loses the connection before its first event goes on from there all the same.
  response.write(`retry: ${RETRY_MS}\nid: ${after}\n\n`);
  follower.wake();
}

/** `id` is the position to come back with; `data` is what the other ways out of the log give as well. */
function toBlock(event: LoggedEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(presentEvent(event))}\n\n`;
}

/** For a client that has to know why; after a mere failure it comes back by itself. */
function farewell(end: FollowEnd, position: number): string {
  switch (end.kind) {
    case 'gone':
      return resync('gone', end.firstSeq - 1);
    case 'too-slow':
      return resync('too-slow', position);
    case 'failed':
      return '';
  }
}

const resync = (reason: 'gone' | 'too-slow', lastSeq: number): string =>
  `event: resync\ndata: ${JSON.stringify({ reason, lastSeq })}\n\n`;

/** Resolves when the connection has taken it, or is gone. */
function send(response: ServerResponse, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed || response.writableEnded) resolve();
    else response.write(text, () => resolve());
  });
}
