import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import type { WebhookMessage } from '../../src/contract/webhook.contract.js';

export interface ReceivedRequest {
  headers: IncomingHttpHeaders;
  body: string;
  path: string;
  message: WebhookMessage;
}

type Answer = (response: ServerResponse, request: ReceivedRequest) => void;

const accept: Answer = (response) => void response.writeHead(204).end();

/** A server that somebody else would run: keeps what arrives, and answers as told. */
export class WebhookReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** The most requests that were being answered at a time. */
  atATime = 0;
  answer: Answer = accept;
  private open = 0;

  private constructor(private readonly server: Server) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.take(request, response));
  }

  static async start(): Promise<WebhookReceiver> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new WebhookReceiver(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  get messages(): WebhookMessage[] {
    return this.requests.map(({ message }) => message);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.atATime = Math.max(this.atATime, ++this.open);
    response.once('close', () => this.open--);
    const body = await readText(request);
    const message = JSON.parse(body) as WebhookMessage;
    const received = { headers: request.headers, body, path: request.url ?? '', message };
    this.requests.push(received);
    this.answer(response, received);
  }
}
