import type { WebSocket } from 'ws';
import { clientMessageSchema, type ClientMessage, type ServerMessage } from '../contract/events.contract.js';
import { requireScope, type Principal } from '../modules/account/account.domain.js';
import type { LogBounds, LoggedEvent } from '../modules/event/event.domain.js';
import { presentEvent } from '../modules/event/event.presenter.js';
import { AppError } from '../platform/app-error.js';
import type { Logger } from '../platform/logging/logger.js';
import { LogFollower, type FollowEnd } from './log-follower.js';

interface Deps {
  authenticate(token: string): Promise<Principal>;
  /** Tells when the access that a token gave has ended. @returns to be called when nobody needs to know any more */
  watch(principal: Principal, onEnd: (reason: string) => void): () => void;
  events: {
    readAfter(userId: string, seq: number, limit: number): Promise<LoggedEvent[]>;
    bounds(userId: string): Promise<LogBounds>;
  };
  /** Counts one more connection of the user; false when there are too many. */
  enter(userId: string): Promise<boolean>;
  /** Takes back what `enter` has counted. */
  leave(userId: string): void;
  logger: Logger;
}

/** RFC 6455 section 7.4.1, and 1013 from the IANA registry. */
const POLICY_VIOLATION = 1008;
const TRY_AGAIN_LATER = 1013;

const AUTHENTICATION_MS = 5_000;
/** How long the check of a token may take: the database may be away for a moment, which is not the client's fault. */
const CHECK_MS = 15_000;
const MESSAGES_BEFORE_AUTHENTICATION = 3;
/** A client that was told to go and stays is cut off. */
const LEAVE_MS = 1_000;
/** RFC 6455 section 5.5: a control frame has room for so many bytes of reason. */
const MAX_REASON_BYTES = 123;
const MESSAGES_PER_WINDOW = 60;
const WINDOW_MS = 10_000;

type Body<T> = T extends ServerMessage ? Omit<T, 'timestamp'> : never;

/** One socket. After authentication it follows the user's event log. */
export class ClientConnection {
  userId: string | null = null;
  private follower: LogFollower | null = null;
  private answeredPing = true;
  private authenticating = false;
  /** Whether this connection counts. */
  private entered = false;
  private ended = false;
  private messages = 0;
  private windowStart = 0;
  private authenticationTimer: NodeJS.Timeout;
  private unwatch: (() => void) | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly deps: Deps,
  ) {
    this.authenticationTimer = setTimeout(() => {
      this.refuse('authentication-required', 'No token arrived in time.');
    }, AUTHENTICATION_MS);
    socket.on('message', (data, isBinary) => this.receive(data as Buffer, isBinary));
    socket.on('pong', () => {
      this.answeredPing = true;
    });
    socket.on('error', (error) => deps.logger.debug('A WebSocket broke', { error }));
  }

  /** @param token the one that came with the upgrade, if any */
  begin(token: string | null): void {
    this.send({ type: 'connection', message: 'Connected; authenticate within 5 seconds.' });
    if (token !== null) this.authenticate({ type: 'authenticate', token });
  }

  /** There may be something new in the log. */
  wake(): void {
    this.follower?.wake();
  }

  /** Two pings without an answer mean that nobody is there. */
  ping(): void {
    if (!this.answeredPing) {
      this.socket.terminate();
      return;
    }
    this.answeredPing = false;
    this.socket.ping();
  }

  end(): void {
    this.ended = true;
    this.follower?.end();
    clearTimeout(this.authenticationTimer);
    if (this.entered && this.userId !== null) this.deps.leave(this.userId);
    this.entered = false;
    this.unwatch?.();
  }

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.ended) return;
    if (this.isTooChatty()) {
      this.refuse('too-many-requests', 'Too many messages.');
      return;
    }
    const message = isBinary ? null : parseMessage(data);
    if (message === null) {
      this.refuseOrComplain('malformed-request', 'That is not a message of this protocol.');
      return;
    }
    switch (message.type) {
      case 'ping':
        this.send({ type: 'pong' });
        return;
      case 'authenticate':
        this.authenticate(message);
    }
  }

  private authenticate(message: Extract<ClientMessage, { type: 'authenticate' }>): void {
    if (this.userId !== null || this.authenticating) {
      this.send({ type: 'error', code: 'malformed-request', message: 'This connection has a user already.' });
      return;
    }
    this.authenticating = true;
    clearTimeout(this.authenticationTimer);
    this.authenticationTimer = setTimeout(() => this.leave(TRY_AGAIN_LATER, 'try again'), CHECK_MS);
    this.admit(message).catch((error: unknown) => {
      if (error instanceof AppError) {
        this.refuse(error.code, error.message);
        return;
      }
      this.deps.logger.warn('A socket could not be authenticated', { error });
      this.leave(TRY_AGAIN_LATER, 'try again');
    });
  }

  private async admit({ token, lastSeq }: { token: string; lastSeq?: number | undefined }): Promise<void> {
    const principal = await this.deps.authenticate(token);
    requireScope(principal, 'read');
    const { last } = await this.deps.events.bounds(principal.userId);
    if (this.ended) return;
    const entered = await this.deps.enter(principal.userId);
    if (this.ended) {
      if (entered) this.deps.leave(principal.userId);
      return;
    }
    clearTimeout(this.authenticationTimer);
    if (!entered) {
      this.refuse('too-many-requests', 'This user has too many connections.');
      return;
    }
    this.entered = true;
    this.unwatch = this.deps.watch(principal, (reason) => this.refuse('invalid-token', reason));
    this.userId = principal.userId;
    // A position that the log has not reached is of another database or made up: start from what there is.
    this.follower = this.followerFrom(principal.userId, Math.min(lastSeq ?? last, last));
    const seq = this.follower.position;
    this.send({ type: 'authenticated', data: { success: true, userId: principal.userId, seq } });
    this.follower.wake();
  }

  private followerFrom(userId: string, after: number): LogFollower {
    return new LogFollower({
      after,
      read: (seq, limit) => this.deps.events.readAfter(userId, seq, limit),
      deliver: (events) => this.deliver(events),
      onEnd: (end) => this.stopFollowing(end),
    });
  }

  private stopFollowing(end: FollowEnd): void {
    switch (end.kind) {
      case 'too-slow':
        this.send({ type: 'resync', reason: 'too-slow', lastSeq: this.follower?.position ?? 0 });
        this.leave(TRY_AGAIN_LATER, 'too slow; reconnect with lastSeq');
        return;
      case 'gone':
        this.send({ type: 'resync', reason: 'gone', lastSeq: end.firstSeq - 1 });
        this.leave(TRY_AGAIN_LATER, 'these events are no longer kept; reconnect with lastSeq');
        return;
      case 'failed':
        this.deps.logger.warn('The events of a socket could not be read', { error: end.error });
        this.leave(TRY_AGAIN_LATER, 'try again; reconnect with lastSeq');
    }
  }

  /** Resolves when the socket has taken all of them. */
  private async deliver(events: readonly LoggedEvent[]): Promise<void> {
    await Promise.all(
      events.map((event) => {
        const message: ServerMessage = { type: 'notification', ...presentEvent(event) };
        return new Promise<void>((resolve) => {
          // An error means that the socket is gone, which its close event tells as well.
          this.socket.send(JSON.stringify(message), () => resolve());
        });
      }),
    );
  }

  private refuseOrComplain(code: string, message: string): void {
    if (this.userId === null && !this.authenticating) this.refuse(code, message);
    else this.send({ type: 'error', code, message });
  }

  private refuse(code: string, message: string): void {
    this.send({ type: 'error', code, message });
    this.leave(POLICY_VIOLATION, message);
  }

  /** Says goodbye once; what still comes in is not looked at. */
  private leave(code: number, reason: string): void {
    this.end();
    this.socket.close(code, Buffer.from(reason).subarray(0, MAX_REASON_BYTES));
    setTimeout(() => this.socket.terminate(), LEAVE_MS).unref();
  }

  private send(body: Body<ServerMessage>): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    this.socket.send(JSON.stringify({ ...body, timestamp: new Date().toISOString() }));
  }

  private isTooChatty(): boolean {
    const now = performance.now();
    if (now - this.windowStart > WINDOW_MS) {
      this.windowStart = now;
      this.messages = 0;
    }
    this.messages++;
    return this.messages > (this.userId === null ? MESSAGES_BEFORE_AUTHENTICATION : MESSAGES_PER_WINDOW);
  }
}

function parseMessage(data: Buffer): ClientMessage | null {
  try {
    const result = clientMessageSchema.safeParse(JSON.parse(data.toString('utf8')));
    return result.success ? result.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
