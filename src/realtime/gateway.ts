import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { EventBus } from '../platform/events/event-bus.port.js';
import type { Logger } from '../platform/logging/logger.js';
import type { Principal } from '../modules/account/account.domain.js';
import type { LogBounds, LoggedEvent } from '../modules/event/event.domain.js';
import type { ProblemCode } from '../contract/problem.contract.js';
import { mayConnect, type AllowedOrigins } from '../http/cors-policy.js';
import { refuseRaw } from '../http/http-server.js';
import { ClientConnection } from './client-connection.js';
import { Presence } from './presence.js';

interface Deps {
  authenticate(token: string): Promise<Principal>;
  /** Of pages that may connect beside those of the host itself. */
  origins: AllowedOrigins;
  watch(principal: Principal, onEnd: (reason: string) => void): () => void;
  events: {
    readAfter(userId: string, seq: number, limit: number): Promise<LoggedEvent[]>;
    bounds(userId: string): Promise<LogBounds>;
  };
  connections: ConstructorParameters<typeof Presence>[0]['connections'];
  bus: EventBus;
  /** Connections of one user to this process. */
  maxPerUser: number;
  logger: Logger;
}

export const WEBSOCKET_PATH = '/ws';
/** The subprotocol that is answered; `bearer.<token>` beside it carries the token. */
const SUBPROTOCOL = 'infernode';
const TOKEN_PREFIX = 'bearer.';
const MAX_MESSAGE_BYTES = 16 * 1024;
const PING_INTERVAL_MS = 30_000;
const CLOSE_GRACE_MS = 2_000;

/** The WebSocket side of the event log: authenticates sockets and wakes those whose owners have new events. */
export class WebSocketGateway {
  private readonly server: WebSocketServer;
  private readonly clients = new Map<WebSocket, ClientConnection>();
  private readonly presence: Presence;
  private readonly unsubscribe: () => void;
  private readonly pinger: NodeJS.Timeout;
  private closing = false;

  constructor(private readonly deps: Deps) {
    this.server = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    this.presence = new Presence(deps);
    this.unsubscribe = deps.bus.subscribe((userId) => this.wake(userId));
    this.pinger = setInterval(() => this.pingAll(), PING_INTERVAL_MS);
    this.pinger.unref();
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', (error) => this.deps.logger.debug('A socket broke while it was upgraded', { error }));
    const refusal = this.refusalOf(request);
    if (refusal !== null) {
      refuseRaw(socket, refusal.code, refusal.detail);
      return;
    }
    this.server.handleUpgrade(request, socket, head, (client) => this.accept(client, tokenOf(request)));
  }

  async close(): Promise<void> {
    this.closing = true;
    this.unsubscribe();
    clearInterval(this.pinger);
    const sockets = [...this.clients.keys()];
    await Promise.all(sockets.map((socket) => closeSocket(socket)));
    await this.presence.close();
  }

  private refusalOf(request: IncomingMessage): { code: ProblemCode; detail: string } | null {
    if (this.closing) return { code: 'service-unavailable', detail: 'The server is shutting down.' };
    const path = (request.url ?? '').split('?')[0];
    if (path !== WEBSOCKET_PATH) return { code: 'route-not-found', detail: `WebSockets are at ${WEBSOCKET_PATH}.` };
    const { origin, host } = request.headers;
    if (!mayConnect(this.deps.origins, origin, host))
      return { code: 'forbidden', detail: 'Pages of other origins may not connect.' };
    return null;
  }

  private accept(socket: WebSocket, token: string | null): void {
    const client = new ClientConnection(socket, {
      ...this.deps,
      enter: (userId) => this.enter(userId),
      leave: (userId) => this.presence.leave(userId),
    });
    this.clients.set(socket, client);
    socket.once('close', () => {
      this.clients.delete(socket);
      client.end();
    });
    client.begin(token);
  }

  private async enter(userId: string): Promise<boolean> {
    if (this.presence.countOf(userId) >= this.deps.maxPerUser) return false;
    await this.presence.enter(userId);
    return true;
  }

  private wake(userId: string | null): void {
    for (const client of this.clients.values()) {
      if (client.userId !== null && (userId === null || client.userId === userId)) client.wake();
    }
  }

  private pingAll(): void {
    for (const client of this.clients.values()) client.ping();
  }
}

/** From the subprotocols only: an address ends up in logs and histories. */
function tokenOf(request: IncomingMessage): string | null {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const carrier = offered.find((name) => name.startsWith(TOKEN_PREFIX));
  return carrier === undefined ? null : carrier.slice(TOKEN_PREFIX.length);
}

function closeSocket(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    socket.once('close', () => {
      clearTimeout(force);
      resolve();
    });
    socket.close(1001, 'the server is shutting down');
  });
}
