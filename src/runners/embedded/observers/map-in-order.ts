export interface Mapped<Item, Result> {
  item: Item;
  result: Result;
}

export interface MapOptions {
  /** Items worked on at a time, at least one. No more than these are taken from the source before their results are. */
  limit: number;
  /** Ends the wait for whatever is under way. */
  signal: AbortSignal;
}

interface Begun<Item, Result> {
  item: Item;
  result: Promise<Result>;
  isSettled: boolean;
}

type Arrival<Item> = { next: IteratorResult<Item> } | { error: unknown };

/**
 * Works on several items at a time and gives the results in the order of the items, each as soon as it is there.
 *
 * A failure comes where it belongs: that of the source after the results of the items before it, that of an item in its
 * place. Work that is under way then is left alone.
 *
 * @throws the signal's reason; what the source and the work throw
 */
export async function* mapInOrder<Item, Result>(
  source: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
  { limit, signal }: MapOptions,
): AsyncGenerator<Mapped<Item, Result>> {
  const iterator = source[Symbol.asyncIterator]();
  const bell = new Bell();
  const begun: Begun<Item, Result>[] = [];
  /** What came from the source and is not begun yet, and how the source ended. */
  const state: { isComing: boolean; arrived: Arrival<Item> | null; end: Arrival<Item> | null } = {
    isComing: false,
    arrived: null,
    end: null,
  };

  const take = () => {
    state.isComing = true;
    const settle = (arrived: Arrival<Item>) => {
      state.isComing = false;
      state.arrived = arrived;
      bell.ring();
    };
    iterator.next().then(
      (next) => settle({ next }),
      (error: unknown) => settle({ error }),
    );
  };
  const begin = (item: Item) => {
    const entry: Begun<Item, Result> = { item, result: work(item), isSettled: false };
    const settle = () => {
      entry.isSettled = true;
      bell.ring();
    };
    // The failure itself is thrown when it is this item's turn; when nobody waits any more, it is no news.
    entry.result.then(settle, settle);
    begun.push(entry);
  };

  signal.addEventListener('abort', bell.ring);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { arrived } = state;
      state.arrived = null;
      if (arrived !== null && 'next' in arrived && arrived.next.done !== true) begin(arrived.next.value);
      else if (arrived !== null) state.end = arrived;
      if (state.end === null && !state.isComing && begun.length < limit) take();
      if (begun[0]?.isSettled) {
        const { item, result } = begun.shift()!;
        yield { item, result: await result };
      } else if (begun.length > 0 || state.end === null) {
        await bell.rung();
      } else {
        if ('error' in state.end) throw state.end.error;
        return;
      }
    }
  } finally {
    signal.removeEventListener('abort', bell.ring);
    const ended = iterator.return?.();
    // While the source is at work on an item it ends only after that; nobody waits for it.
    if (state.isComing) void Promise.allSettled([ended]);
    else await ended;
  }
}

/** Wakes one who waits, also when it rang just before. Unlike a race of promises it collects nothing as time goes by. */
class Bell {
  private hasRung = false;
  private wake: () => void = () => undefined;

  readonly ring = (): void => {
    this.hasRung = true;
    this.wake();
  };

  async rung(): Promise<void> {
    if (!this.hasRung) await new Promise<void>((resolve) => (this.wake = resolve));
    this.hasRung = false;
  }
}
