import type { EventBus } from '../../platform/events/event-bus.port.js';
import type { InferenceRepository } from './inference.repository.js';

interface Deps {
  jobs: Pick<InferenceRepository, 'haveEnded'>;
  bus: Pick<EventBus, 'subscribe'>;
  /** Fires at shutdown: nobody waits any longer. */
  shutdown: AbortSignal;
}

/** Beyond these, requests are answered without waiting. */
const MOST_WAITING = 1_000;
const MOST_WAITING_OF_ONE_USER = 50;
/** Bells may get lost; the rows do not. */
const LOOK_AGAIN_MS = 5_000;

/** Keeps requests waiting for the end of jobs, woken by the bus instead of asking over and over. */
export class JobWaiter {
  private readonly waitingByUser = new Map<string, number>();
  private waiting = 0;

  /** Ends each wait that goes on. */
  private readonly endings = new Set<() => void>();

  constructor(private readonly deps: Deps) {
    // One listener for all: a signal that lives as long as the process does not collect one per request.
    deps.shutdown.addEventListener('abort', () => {
      for (const end of this.endings) end();
    });
  }

  get waitingCount(): number {
    return this.waiting;
  }

  /**
   * Returns when all jobs have ended, when the time is over, or when the signal fires.
   * @returns false, at once, when too many wait already
   */
  async untilEnded(
    userId: string,
    ids: readonly string[],
    { seconds, signal }: { seconds: number; signal: AbortSignal },
  ): Promise<boolean> {
    const ofUser = this.waitingByUser.get(userId) ?? 0;
    if (this.waiting >= MOST_WAITING || ofUser >= MOST_WAITING_OF_ONE_USER) return false;
    this.waiting++;
    this.waitingByUser.set(userId, ofUser + 1);
    try {
      await this.wait(userId, ids, seconds, signal);
      return true;
    } finally {
      this.waiting--;
      const left = (this.waitingByUser.get(userId) ?? 1) - 1;
      if (left === 0) this.waitingByUser.delete(userId);
      else this.waitingByUser.set(userId, left);
    }
  }

  private async wait(userId: string, ids: readonly string[], seconds: number, signal: AbortSignal): Promise<void> {
    const { jobs, bus, shutdown } = this.deps;
    let isOver = signal.aborted || shutdown.aborted;
    let hasRung = false;
    let wake: () => void = () => undefined;
    const ring = (): void => {
      hasRung = true;
      wake();
    };
    const giveUp = (): void => {
      isOver = true;
      ring();
    };
    const unsubscribe = bus.subscribe((id) => {
      if (id === null || id === userId) ring();
    });
    const lookAgain = setInterval(ring, LOOK_AGAIN_MS);
    const timer = setTimeout(giveUp, seconds * 1000);
    signal.addEventListener('abort', giveUp);
    this.endings.add(giveUp);
    try {
      while (!isOver) {
        // What rings while the rows are read is looked at once more.
        hasRung = false;
        if (await jobs.haveEnded(ids)) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (hasRung) resolve();
        });
      }
    } finally {
      unsubscribe();
      clearInterval(lookAgain);
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      this.endings.delete(giveUp);
    }
  }
}
