import { randomUUID } from 'node:crypto';
import type { Logger } from '../platform/logging/logger.js';

interface Deps {
  connections: {
    report(processId: string, counts: ReadonlyMap<string, number>, leaseSeconds: number): Promise<void>;
    withdraw(processId: string): Promise<void>;
    forgetSilent(): Promise<void>;
  };
  logger: Logger;
}

const HEARTBEAT_MS = 5_000;
/** Three heartbeats: what a process that died has reported counts for so long. */
const LEASE_SECONDS = 15;

/** Counts the connections of this process by user, and keeps the database told, where those of all processes meet. */
export class Presence {
  private readonly processId = randomUUID();
  private readonly counts = new Map<string, number>();
  private readonly changed = new Set<string>();
  private readonly heartbeat: NodeJS.Timeout;
  private lastReport: Promise<void> = Promise.resolve();
  private nextReport: Promise<void> | null = null;

  constructor(private readonly deps: Deps) {
    this.heartbeat = setInterval(() => void this.beat(), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  countOf(userId: string): number {
    return this.counts.get(userId) ?? 0;
  }

  /** Counts at once. Resolves when the database has been told, or could not be: the next heartbeat tells it again. */
  enter(userId: string): Promise<void> {
    this.counts.set(userId, this.countOf(userId) + 1);
    return this.report(userId);
  }

  leave(userId: string): void {
    const left = this.countOf(userId) - 1;
    if (left > 0) this.counts.set(userId, left);
    else this.counts.delete(userId);
    void this.report(userId);
  }

  async close(): Promise<void> {
    clearInterval(this.heartbeat);
    await (this.nextReport ?? this.lastReport);
    try {
      await this.deps.connections.withdraw(this.processId);
    } catch (error) {
      this.deps.logger.debug('The counts of this process stay until their lease ends', { error });
    }
  }

  private async beat(): Promise<void> {
    for (const userId of this.counts.keys()) this.changed.add(userId);
    await this.flush();
    try {
      await this.deps.connections.forgetSilent();
    } catch (error) {
      this.deps.logger.debug('Old connection counts could not be removed', { error });
    }
  }

  private report(userId: string): Promise<void> {
    this.changed.add(userId);
    return this.flush();
  }

  /** One report at a time, so that no older one overtakes a newer; who comes meanwhile shares the next. */
  private flush(): Promise<void> {
    this.nextReport ??= this.lastReport.then(() => {
      this.nextReport = null;
      this.lastReport = this.write();
      return this.lastReport;
    });
    return this.nextReport;
  }

  private async write(): Promise<void> {
    const counts = new Map([...this.changed].map((userId) => [userId, this.countOf(userId)]));
    this.changed.clear();
    try {
      await this.deps.connections.report(this.processId, counts, LEASE_SECONDS);
    } catch (error) {
      for (const userId of counts.keys()) this.changed.add(userId);
      this.deps.logger.debug('The database was not told of connections; the next heartbeat tells it', { error });
    }
  }
}
