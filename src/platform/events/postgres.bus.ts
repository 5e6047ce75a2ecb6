import pg from 'pg';
import { setTimeout as wait } from 'node:timers/promises';
import { driverConfig, type DatabaseConnection } from '../database/connect.js';
import type { Logger } from '../logging/logger.js';
import { BUS_CHANNELS, EVENT_CHANNEL, type BusChannel, type EventBus, type EventListener } from './event-bus.port.js';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A dead connection that TCP has not noticed is found by this question. */
const HEARTBEAT_MS = 10_000;
const ANSWER_MS = 10_000;

/** LISTEN on a connection of its own; comes back by itself and then wakes everybody, since bells may have been missed. */
export class PostgresEventBus implements EventBus {
  private readonly listeners = new Map(BUS_CHANNELS.map((channel) => [channel, new Set<EventListener>()]));
  private readonly closing = new AbortController();
  private client: pg.Client | undefined;
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: DatabaseConnection,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    await this.connect();
    this.heartbeat = setInterval(() => void this.beat(), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  subscribe(listener: EventListener, channel: BusChannel = EVENT_CHANNEL): () => void {
    this.listenersOf(channel).add(listener);
    return () => this.listenersOf(channel).delete(listener);
  }

  async close(): Promise<void> {
    this.closing.abort();
    clearInterval(this.heartbeat);
    const client = this.client;
    this.client = undefined;
    await client?.end();
  }

  private async connect(): Promise<void> {
    const { connection } = this;
    const client = new pg.Client({
      ...driverConfig(connection),
      application_name: 'infernode events',
      query_timeout: ANSWER_MS,
    });
    client.on('error', (error) => this.lost(client, error));
    client.on('end', () => this.lost(client, new Error('the connection ended')));
    client.on('notification', ({ channel, payload }) => this.wake(channel as BusChannel, payload ?? null));
    try {
      await client.connect();
      for (const channel of BUS_CHANNELS) await client.query(`LISTEN ${channel}`);
    } catch (error) {
      this.endQuietly(client);
      throw error;
    }
    this.client = client;
  }

  private listenersOf(channel: BusChannel): Set<EventListener> {
    return this.listeners.get(channel) as Set<EventListener>;
  }

  private wake(channel: BusChannel, id: string | null): void {
    for (const listener of this.listenersOf(channel)) listener(id);
  }

  private async beat(): Promise<void> {
    const client = this.client;
    if (client === undefined) return;
    try {
      await client.query('SELECT 1');
    } catch (error) {
      this.lost(client, error);
    }
  }

  private lost(client: pg.Client, error: unknown): void {
    if (client !== this.client || this.closing.signal.aborted) return;
    this.client = undefined;
    this.logger.warn('The event connection is lost; reconnecting', { error });
    this.endQuietly(client);
    void this.reconnect();
  }

  /** Not waited for: a connection to a silent server takes its time to end. */
  private endQuietly(client: pg.Client): void {
    client.end().catch((error: unknown) => this.logger.debug('The lost connection did not end cleanly', { error }));
  }

  private async reconnect(): Promise<void> {
    for (let delay = RECONNECT_MIN_MS; !this.closing.signal.aborted; delay = Math.min(delay * 2, RECONNECT_MAX_MS)) {
      try {
        await this.connect();
        if (this.closing.signal.aborted) await this.close();
        else for (const channel of BUS_CHANNELS) this.wake(channel, null);
        return;
      } catch (error) {
        this.logger.debug('The event connection is still away', { error });
      }
      await wait(delay, undefined, { signal: this.closing.signal, ref: false }).catch(() => {
        // Closing: the loop's condition ends it.
      });
    }
  }
}
