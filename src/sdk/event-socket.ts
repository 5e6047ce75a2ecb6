import { WebSocket } from 'ws';
import {
  serverMessageSchema,
  type ClientMessage,
  type Notification,
  type ServerMessage,
} from '../contract/events.contract.js';

interface EventSocketOptions {
  baseUrl: string;
  token: string;
  lastSeq: number | undefined;
  signal: AbortSignal;
  onConnect(seq: number): void;
  onEvent(event: Notification): void;
}

export interface SocketEnd {
  /** Why; what a closed connection is after an abort does not matter. */
  error: Error;
  wasConnected: boolean;
}

/** The server does not let this user in; trying again would not help. */
export class EventsRefusedError extends Error {
  override readonly name = 'EventsRefusedError';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Events behind the position that was asked for are no longer kept: going on would leave them out. */
export class EventsGoneError extends Error {
  override readonly name = 'EventsGoneError';
  /** @param lastSeq follow from here to get all that is kept */
  constructor(readonly lastSeq: number) {
    super(`Events up to ${lastSeq} are no longer kept`);
  }
}

/** RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1008;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** The server pings every 30 seconds. */
const SILENCE_MS = 75_000;

/** One connection to the event log, from its opening to its end. */
export class EventSocket {
  /** Resolves when the connection is lost or aborted; rejects when another one would end the same way. */
  readonly ended: Promise<SocketEnd>;
  private readonly socket: WebSocket;
  private readonly silence: NodeJS.Timeout;
  /** Null until the server has accepted the token. */
  private seq: number | null = null;
  private refusal: EventsRefusedError | null = null;
  private fatal: { error: unknown } | null = null;
  private error = new Error('The connection for events was closed');

  constructor(private readonly options: EventSocketOptions) {
    const url = new URL(`${options.baseUrl.replace(/^http/, 'ws').replace(/\/+$/, '')}/ws`);
    this.socket = new WebSocket(url, { handshakeTimeout: HANDSHAKE_TIMEOUT_MS, perMessageDeflate: false });
    this.silence = setTimeout(() => this.socket.terminate(), SILENCE_MS);
    this.socket.on('open', () => this.authenticate());
    this.socket.on('ping', () => this.silence.refresh());
    this.socket.on('message', (data) => this.receive((data as Buffer).toString('utf8')));
    this.socket.on('error', (error) => {
      this.error = error;
    });
    const onAbort = (): void => this.socket.terminate();
    options.signal.addEventListener('abort', onAbort, { once: true });
    this.ended = new Promise((resolve, reject) => {
      this.socket.once('close', (code) => {
        clearTimeout(this.silence);
        options.signal.removeEventListener('abort', onAbort);
        if (this.fatal !== null) reject(this.fatal.error);
        else if (code === POLICY_VIOLATION && this.refusal !== null) reject(this.refusal);
        else resolve({ error: this.error, wasConnected: this.seq !== null });
      });
    });
  }

  private authenticate(): void {
    const { token, lastSeq } = this.options;
    const message: ClientMessage = { type: 'authenticate', token, ...(lastSeq === undefined ? {} : { lastSeq }) };
    this.socket.send(JSON.stringify(message));
  }

  private receive(text: string): void {
    if (this.fatal !== null) return;
    this.silence.refresh();
    try {
      this.handle(serverMessageSchema.parse(JSON.parse(text)));
    } catch (error) {
      this.fatal = { error };
      this.socket.terminate();
    }
  }

  private handle(message: ServerMessage): void {
    switch (message.type) {
      case 'authenticated':
        this.seq = message.data.seq;
        this.options.onConnect(message.data.seq);
        return;
      case 'notification':
        this.deliver(message);
        return;
      case 'error':
        this.refusal = new EventsRefusedError(message.code, message.message);
        return;
      case 'resync':
        // Otherwise the server closes after it, and the next connection goes on from the last event.
        if (message.reason === 'gone') throw new EventsGoneError(message.lastSeq);
        return;
      case 'connection':
      case 'pong':
    }
  }

  private deliver(event: Notification): void {
    if (this.seq === null || event.seq <= this.seq) return;
    if (event.seq !== this.seq + 1) {
      // Something was lost on the way: the next connection asks for it.
      this.socket.terminate();
      return;
    }
    this.seq = event.seq;
    this.options.onEvent(event);
  }
}
