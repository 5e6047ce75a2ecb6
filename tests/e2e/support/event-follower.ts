import { WebSocket } from 'ws';
import { serverMessageSchema, type JobNotification } from '../../../src/contract/events.contract.js';
import { isAboutJob } from '../../support/live-socket.js';
import { until } from '../../support/wait.js';

/** Follows a user's events over WebSockets, one after the other, each from where the one before it ended. */
export class EventFollower {
  readonly events: JobNotification[] = [];
  /** Close codes of the sockets that were closed by the server. */
  readonly closedWith: number[] = [];
  private socket: WebSocket | undefined;

  constructor(
    private readonly baseUrl: string,
    private readonly token: string,
  ) {}

  /** Opens a socket and waits until the server knows whose it is. */
  async connect(): Promise<void> {
    const socket = new WebSocket(`${this.baseUrl.replace('http', 'ws')}/ws`);
    let isAuthenticated = false;
    let failure: Error | undefined;
    socket.on('error', (error) => (failure = error));
    socket.on('close', (code) => {
      if (this.socket === socket) this.closedWith.push(code);
    });
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'authenticate', token: this.token, lastSeq: this.lastSeq }));
    });
    socket.on('message', (data) => {
      // A socket that was given up may still have messages on the way; its successor asks for them again.
      if (this.socket !== socket) return;
      const message = serverMessageSchema.parse(JSON.parse((data as Buffer).toString('utf8')));
      if (message.type === 'authenticated') isAuthenticated = true;
      if (message.type === 'notification' && isAboutJob(message)) this.events.push(message);
    });
    this.socket = socket;
    await until(
      () => {
        if (failure !== undefined) throw failure;
        return isAuthenticated;
      },
      { what: 'the socket is authenticated' },
    );
  }

  /** Breaks the connection without a word, as a lost network does, and comes back. */
  async reconnect(): Promise<void> {
    this.cut();
    await this.connect();
  }

  cut(): void {
    const { socket } = this;
    this.socket = undefined;
    socket?.terminate();
  }

  get lastSeq(): number {
    return this.events.at(-1)?.seq ?? 0;
  }

  statusesOf(jobId: string): string[] {
    return this.events.filter(({ data }) => data.inferenceId === jobId).map(({ data }) => data.status);
  }
}
