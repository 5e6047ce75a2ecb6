import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import {
  serverMessageSchema,
  type JobNotification,
  type Notification,
  type ServerMessage,
} from '../../src/contract/events.contract.js';
import type { App } from './app.js';
import { until } from './wait.js';

/** A client of `/ws` that keeps every message it gets, each checked against the contract. */
export class LiveSocket {
  readonly messages: ServerMessage[] = [];
  /** Set when the connection has ended. */
  closed: { code: number; reason: string } | null = null;
  private broken: Error | null = null;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      try {
        this.messages.push(serverMessageSchema.parse(JSON.parse(data.toString('utf8'))));
      } catch (error) {
        this.broken ??= error as Error;
      }
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
    });
    socket.on('error', (error) => {
      this.broken ??= error;
    });
  }

  /** Connects and says nothing yet. */
  static async connect(app: App, options: { path?: string; protocols?: string[]; client?: ClientOptions } = {}) {
    const url = `${app.baseUrl.replace('http', 'ws')}${options.path ?? '/ws'}`;
    const live = new LiveSocket(new WebSocket(url, options.protocols ?? [], options.client ?? {}));
    await once(live.socket, 'open');
    return live;
  }

  /** Connects and waits until the server knows the user. */
  static async follow(app: App, token: string, lastSeq?: number): Promise<LiveSocket> {
    const live = await LiveSocket.connect(app);
    live.send({ type: 'authenticate', token, ...(lastSeq === undefined ? {} : { lastSeq }) });
    await live.message('authenticated');
    return live;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  get notifications(): Notification[] {
    return this.messages.filter((message) => message.type === 'notification');
  }

  get lastSeq(): number {
    return this.notifications.at(-1)?.seq ?? 0;
  }

  /** Notifications about jobs. */
  get jobNotifications(): JobNotification[] {
    return this.notifications.filter(isAboutJob);
  }

  /** Notifications about one job. */
  about(jobId: string): JobNotification[] {
    return this.jobNotifications.filter(({ data }) => data.inferenceId === jobId);
  }

  /** The first message of a type, as soon as it is there. */
  message<T extends ServerMessage['type']>(type: T, deadline = 10_000): Promise<Extract<ServerMessage, { type: T }>> {
    return this.until(
      () => this.messages.find((message): message is Extract<ServerMessage, { type: T }> => message.type === type),
      `a message "${type}"`,
      deadline,
    );
  }

  /** How the server ended the connection. */
  end(deadline = 10_000): Promise<{ code: number; reason: string }> {
    return until(() => this.closed, { deadline, what: 'the end of the connection' });
  }

  /** @throws what the server sent against the contract, if anything */
  until<T>(condition: () => T, what: string, deadline = 20_000): Promise<NonNullable<T>> {
    return until(
      () => {
        if (this.broken !== null) throw this.broken;
        return condition();
      },
      { deadline, what },
    );
  }

  /** Cuts the connection without a word, as a lost network does. */
  cut(): void {
    this.socket.terminate();
  }
}

export function isAboutJob(notification: Notification): notification is JobNotification {
  return notification.event === 'INFERENCE_STATUS_UPDATE';
}
