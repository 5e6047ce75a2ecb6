import type { Principal } from '../modules/account/account.domain.js';
import { ACCESS_CHANNEL, type EventBus } from '../platform/events/event-bus.port.js';
import type { Logger } from '../platform/logging/logger.js';

interface Deps {
  /** Whether what the principal has shown still counts. */
  stillCounts(principal: Principal): Promise<boolean>;
  bus: Pick<EventBus, 'subscribe'>;
  logger: Logger;
}

interface Watched {
  principal: Principal;
  timer: NodeJS.Timeout | undefined;
  onEnd(reason: string): void;
}

/** setTimeout cannot wait for longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** The database may be away for a moment; what ended meanwhile has to be found all the same. */
const RETRY_MS = 5_000;

/**
 * Tells connections that outlive their request when they may no longer go on: at the end of their token, or when their
 * session, key or account is ended, wherever that was done.
 */
export class AccessWatch {
  private readonly watched = new Set<Watched>();
  private readonly unsubscribe: () => void;

  constructor(private readonly deps: Deps) {
    this.unsubscribe = deps.bus.subscribe((userId) => {
      for (const entry of this.watched) if (userId === null || entry.principal.userId === userId) this.check(entry);
    }, ACCESS_CHANNEL);
  }

  /**
   * @param onEnd called once, with a reason for people
   * @returns to be called when the connection ends by itself
   */
  watch(principal: Principal, onEnd: (reason: string) => void): () => void {
    const entry: Watched = { principal, timer: undefined, onEnd };
    this.watched.add(entry);
    this.awaitExpiry(entry);
    // Between its authentication and here the news may have come and gone.
    this.check(entry);
    return () => this.forget(entry);
  }

  close(): void {
    this.unsubscribe();
    for (const entry of this.watched) this.forget(entry);
  }

  private awaitExpiry(entry: Watched): void {
    const { expiresAt } = entry.principal;
    if (expiresAt === null) return;
    const left = expiresAt.getTime() - Date.now();
    entry.timer =
      left > MAX_TIMER_MS
        ? setTimeout(() => this.awaitExpiry(entry), MAX_TIMER_MS)
        : setTimeout(() => this.end(entry, 'The token has expired.'), left);
  }

  private check(entry: Watched): void {
    this.deps.stillCounts(entry.principal).then(
      (counts) => {
        if (!counts) this.end(entry, 'The access has been ended.');
      },
      (error: unknown) => {
        this.deps.logger.warn('The access of a connection could not be checked; trying again', { error });
        setTimeout(() => {
          if (this.watched.has(entry)) this.check(entry);
        }, RETRY_MS).unref();
      },
    );
  }

  private end(entry: Watched, reason: string): void {
    if (!this.watched.has(entry)) return;
    this.forget(entry);
    entry.onEnd(reason);
  }

  private forget(entry: Watched): void {
    this.watched.delete(entry);
    clearTimeout(entry.timer);
  }
}
