import { EventsGoneError, type LoggedEvent } from '../modules/event/event.domain.js';

/** Why a follower stopped by itself; `gone`: what comes next in the log is no longer kept. */
export type FollowEnd = { kind: 'too-slow' } | { kind: 'gone'; firstSeq: number } | { kind: 'failed'; error: unknown };

interface Options {
  /** The position behind which the next event is. */
  after: number;
  /** @throws EventsGoneError */
  read(after: number, limit: number): Promise<LoggedEvent[]>;
  /** Hands a batch over; resolves when the client has taken it. */
  deliver(events: readonly LoggedEvent[]): Promise<void>;
  onEnd(end: FollowEnd): void;
}

const BATCH = 100;
/** A batch that the client has not taken by then means that it is too slow. */
const BATCH_TIMEOUT_MS = 15_000;

/**
 * Reads one log for one client: on from the last event it has taken, one batch at a time, and the next only when the one
 * before is taken, so that a slow client costs one batch of memory. A bell says no more than "look again": bells that
 * are lost or doubled change nothing.
 */
export class LogFollower {
  private seq: number;
  private running = false;
  private lookAgain = false;
  private ended = false;

  constructor(private readonly options: Options) {
    this.seq = options.after;
  }

  /** Of the last event that was taken. */
  get position(): number {
    return this.seq;
  }

  /** There may be something new in the log. */
  wake(): void {
    this.lookAgain = true;
    if (this.running || this.ended) return;
    this.running = true;
    this.run().catch((error: unknown) => this.finish(endOf(error)));
  }

  /** Hands over nothing more. */
  end(): void {
    this.ended = true;
  }

  private async run(): Promise<void> {
    try {
      while (this.lookAgain && !this.ended) await this.readOn();
    } finally {
      // In the same turn as the last look at the bell: one that rings after it starts a new round.
      this.running = false;
    }
  }

  private async readOn(): Promise<void> {
    this.lookAgain = false;
    const events = await this.options.read(this.seq, BATCH);
    if (events.length === 0 || this.ended) return;
    if (!(await inTime(this.options.deliver(events)))) {
      this.finish({ kind: 'too-slow' });
      return;
    }
    this.seq = events[events.length - 1].seq;
    if (events.length === BATCH) this.lookAgain = true;
  }

  private finish(end: FollowEnd): void {
    if (this.ended) return;
    this.ended = true;
    this.options.onEnd(end);
  }
}

const endOf = (error: unknown): FollowEnd =>
  error instanceof EventsGoneError ? { kind: 'gone', firstSeq: error.firstSeq } : { kind: 'failed', error };

async function inTime(taken: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), BATCH_TIMEOUT_MS);
  });
  try {
    return await Promise.race([taken.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
