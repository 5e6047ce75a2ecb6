import http from 'node:http';
import { once } from 'node:events';
import { eventSchema, type EventEntry } from '../../src/contract/events.contract.js';
import type { App } from './app.js';
import { until } from './wait.js';

interface StreamOptions {
  /** Default: the whole log of the user. */
  path?: string;
  lastEventId?: number;
}

/** A client of server-sent events that keeps what it gets, each event checked against the contract. */
export class LiveStream {
  readonly events: EventEntry[] = [];
  resync: { reason: string; lastSeq: number } | null = null;
  /** Number of comment lines, which keep the connection open. */
  comments = 0;
  /** As `Last-Event-ID` would be sent. */
  lastEventId: number | null = null;
  ended = false;
  private buffer = '';
  private broken: Error | null = null;

  private constructor(readonly answer: http.IncomingMessage) {
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => this.receive(text));
    answer.on('error', () => undefined); // a cut connection, which `close` tells as well
    answer.on('close', () => (this.ended = true));
  }

  static async open(app: App, token: string, { path = '/api/events', lastEventId }: StreamOptions = {}) {
    const request = http.get(`${app.baseUrl}${path}`, {
      headers: {
        Accept: 'text/event-stream',
        Authorization: `Bearer ${token}`,
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': String(lastEventId) }),
      },
      agent: false,
    });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    return new LiveStream(answer);
  }

  get status(): number {
    return this.answer.statusCode ?? 0;
  }

  until<T>(condition: () => T, what: string, deadline = 20_000): Promise<NonNullable<T>> {
    return until(
      () => {
        if (this.broken !== null) throw this.broken;
        return condition();
      },
      { deadline, what },
    );
  }

  end(): Promise<unknown> {
    return this.until(() => this.ended, 'the end of the stream');
  }

  /** Cuts the connection without a word, as a lost network does. */
  cut(): void {
    this.answer.destroy();
  }

  private receive(text: string): void {
    this.buffer += text;
    for (let end = this.buffer.indexOf('\n\n'); end >= 0; end = this.buffer.indexOf('\n\n')) {
      const block = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(end + 2);
      try {
        this.take(block);
      } catch (error) {
        this.broken ??= error as Error;
      }
    }
  }

  private take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon === 0) this.comments++;
      else fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
    }
    const id = fields.get('id');
    if (id !== undefined) this.lastEventId = Number(id);
    const data = fields.get('data');
    if (data === undefined) return;
    if (fields.get('event') === 'resync') {
      this.resync = JSON.parse(data) as { reason: string; lastSeq: number };
      return;
    }
    const event = eventSchema.parse(JSON.parse(data));
    if (event.event !== fields.get('event') || event.seq !== Number(id)) throw new Error(`Two stories: ${block}`);
    this.events.push(event);
  }
}
