import {
  createServer,
  ServerResponse,
  STATUS_CODES,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express, Request, RequestHandler, Response } from 'express';
import type { ProblemCode } from '../contract/problem.contract.js';
import { AppError } from '../platform/app-error.js';
import { presentProblem, toAppError } from './problem-handler.js';

/** Takes over connections that ask to become WebSockets. */
export interface UpgradeHandler {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

const HEADERS_TIMEOUT_MS = 30_000;
/** Bodies have deadlines of their own where they are read; an upload may take its time as long as it moves. */
const REQUEST_TIMEOUT_MS = 6 * 3600 * 1000;
const KEEP_ALIVE_MS = 10_000;
const IDLE_CHECK_MS = 100;

/** Newer versions of Node ask per request; older ones hand over every request that wants an upgrade to anything. */
type Options = ServerOptions & { shouldUpgradeCallback(request: IncomingMessage): boolean };

/** The server below Express: upgrades, what is not even HTTP, and an end that leaves no connection behind. */
export class HttpServer {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly app: Express,
    private readonly upgrades: UpgradeHandler,
    private readonly handshakeLimit: RequestHandler,
  ) {
    // A missing Host header is refused with the rest of what is malformed: as a problem.
    const options: Options = { shouldUpgradeCallback: wantsWebSocket, requireHostHeader: false };
    this.server = createServer(options, app);
    this.server.headersTimeout = HEADERS_TIMEOUT_MS;
    this.server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    // Whoever reads the body says that it may come; a refusal comes before it.
    this.server.on('checkContinue', (request, response) => {
      app(request, response);
    });
    this.server.on('checkExpectation', (_request, response) => {
      refuseRaw(response.socket as Socket, 'expectation-failed', 'Only 100-continue can be expected.');
    });
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.server.on('clientError', answerClientError);
  }

  /** @returns the port, which the system chose if 0 was asked for */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no new connection; running requests may get to their end for a while, then they are cut off. */
  close(drainMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      // A connection that has had its answer is kept for the next request, also now.
      const idle = setInterval(() => this.server.closeIdleConnections(), IDLE_CHECK_MS);
      // Ours, not the server's own list: that one no longer knows those that were upgraded.
      const cut = setTimeout(() => {
        for (const socket of this.sockets) socket.destroy();
      }, drainMs);
      this.server.close((error) => {
        clearInterval(idle);
        clearTimeout(cut);
        if (error === undefined) resolve();
        else reject(error);
      });
      this.server.closeIdleConnections();
    });
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (wantsWebSocket(request)) {
      this.handshake(request, socket, head);
      return;
    }
    // RFC 9110 section 7.8: an upgrade that is not wanted is ignored, and the request answered as it stands. A body can no
    // longer be read at this point.
    if (
      head.length > 0 ||
      request.headers['transfer-encoding'] !== undefined ||
      Number(request.headers['content-length'] ?? 0) > 0
    ) {
      refuseRaw(socket, 'malformed-request', 'Send requests with a body without an Upgrade header.');
      return;
    }
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => socket.end());
    this.app(request, response);
  }

  private handshake(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Nobody else listens yet, and an error that nobody hears ends the process.
    socket.on('error', () => socket.destroy());
    // As Express does with requests that it serves: it knows which proxies are believed about the address.
    const asked = Object.setPrototypeOf(request, this.app.request) as Request;
    const answer = Object.setPrototypeOf(new ServerResponse(request), this.app.response) as Response;
    void this.handshakeLimit(asked, answer, (refusal?: unknown) => {
      if (refusal === undefined) this.upgrades.upgrade(request, socket, head);
      else refuse(socket, toAppError(refusal), answer.getHeaders());
    });
  }
}

function wantsWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket';
}

const CLIENT_ERRORS: Record<string, [ProblemCode, string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request-timeout', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: ['headers-too-large', 'The headers are too large.'],
};

function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, detail] = CLIENT_ERRORS[error.code ?? ''] ?? ['malformed-request', 'This is not an HTTP request.'];
  refuseRaw(socket, code, detail);
}

/** Answers where there is no response object, and ends the connection: also one that the other side keeps half open. */
export function refuseRaw(socket: Duplex, code: ProblemCode, detail: string): void {
  refuse(socket, new AppError(code, detail));
}

function refuse(socket: Duplex, error: AppError, headers: OutgoingHttpHeaders = {}): void {
  const problem = presentProblem(error, '');
  const body = JSON.stringify(problem);
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      Object.entries(headers)
        .map(([name, value]) => `${name}: ${String(value)}\r\n`)
        .join('') +
      'Content-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
