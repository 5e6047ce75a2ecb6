import pg from 'pg';
import { setTimeout as wait } from 'node:timers/promises';
import type { DatabaseConnection } from '../database/connect.js';
import type { Logger } from '../logging/logger.js';
import { EVENT_CHANNEL, type EventBus, type EventListener } from './event-bus.port.js';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A dead connection that TCP has not noticed is found by this question. */
const HEARTBEAT_MS = 10_000;

/** LISTEN on a connection of its own; comes back by itself and then wakes everybody, since bells may have been missed. */
export class PostgresEventBus implements EventBus {
  private readonly listeners = new Set<EventListener>();
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

  subscribe(listener: EventListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
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
      host: connection.host,
      port: connection.port,
      user: connection.username,
      ...(connection.password === undefined ? {} : { password: connection.password }),
      database: connection.database,
      ...(connection.ssl === true ? { ssl: { rejectUnauthorized: true } } : {}),
      application_name: 'infernode events',
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
    });
    client.on('error', (error) => this.lost(client, error));
    client.on('end', () => this.lost(client, new Error('the connection ended')));
    client.on('notification', ({ payload }) => this.wake(payload ?? null));
    await client.connect();
    await client.query(`LISTEN ${EVENT_CHANNEL}`);
    this.client = client;
  }

  private wake(userId: string | null): void {
    for (const listener of this.listeners) listener(userId);
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
    client
      .end()
      .catch((endError: unknown) => this.logger.debug('The lost connection did not end cleanly', { error: endError }));
    void this.reconnect();
  }

  private async reconnect(): Promise<void> {
    for (let delay = RECONNECT_MIN_MS; !this.closing.signal.aborted; delay = Math.min(delay * 2, RECONNECT_MAX_MS)) {
      try {
        await this.connect();
        if (this.closing.signal.aborted) await this.close();
        else this.wake(null);
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
