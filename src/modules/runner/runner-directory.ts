import type { Logger } from '../../platform/logging/logger.js';
import type { Runner, RunnerDescription } from '../../runners/runner.port.js';
import { isEmbedded, slotsOf, type RunnerIdentity, type RunnerRecord } from './runner.domain.js';

interface Deps {
  /** The engine inside this process; null where it has none. */
  embedded: Runner | null;
  /** @throws when no client can be made of the row: an unknown kind, a token that cannot be opened */
  make(runner: RunnerIdentity): Runner;
  logger: Logger;
}

interface Entry {
  revision: number;
  runner: Runner;
  uses: number;
  isRetired: boolean;
}

/** A client of a runner, for as long as it is used. */
export interface RunnerLease {
  runner: Runner;
  /** Gives it back; again without effect. */
  release(): void;
}

/** The clients of this process: one per runner, made anew when its row has changed. */
export class RunnerDirectory {
  private readonly entries = new Map<string, Entry>();
  private readonly closing = new Set<Promise<void>>();
  private embeddedUses = 0;

  constructor(private readonly deps: Deps) {}

  get embedded(): Runner | null {
    return this.deps.embedded;
  }

  /** Jobs of this process on its own engine. */
  get embeddedInFlight(): number {
    return this.embeddedUses;
  }

  /**
   * @returns null when this process has no engine, or no free place on it
   * @throws as `make`
   */
  lease(record: RunnerRecord): RunnerLease | null {
    return isEmbedded(record) ? this.leaseEmbedded() : this.leaseClient(record);
  }

  /**
   * What a client of the runner says of it before it has asked.
   * @throws as `make`
   */
  async describe(runner: RunnerIdentity): Promise<RunnerDescription> {
    const client = this.deps.make(runner);
    try {
      return client.describe();
    } finally {
      await client.close();
    }
  }

  /** Ends the clients of all other runners as soon as nobody uses them. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, entry] of this.entries) if (!ids.has(id)) this.retire(id, entry);
  }

  /** Ends all clients, and what runs on them. */
  async close(): Promise<void> {
    for (const [id, entry] of this.entries) {
      this.entries.delete(id);
      this.end(id, entry);
    }
    await Promise.all(this.closing);
  }

  private leaseEmbedded(): RunnerLease | null {
    const { embedded } = this.deps;
    if (embedded === null || this.embeddedUses >= slotsOf({ slots: null, description: embedded.describe() }))
      return null;
    this.embeddedUses++;
    return { runner: embedded, release: once(() => this.embeddedUses--) };
  }

  private leaseClient(record: RunnerRecord): RunnerLease {
    const entry = this.entryOf(record);
    entry.uses++;
    const release = once(() => {
      entry.uses--;
      if (entry.isRetired && entry.uses === 0) this.end(record.id, entry);
    });
    return { runner: entry.runner, release };
  }

  private entryOf(record: RunnerRecord): Entry {
    const known = this.entries.get(record.id);
    // A row that was read before the change is not to bring the old client back.
    if (known !== undefined && known.revision >= record.revision) return known;
    const entry = { revision: record.revision, runner: this.deps.make(record), uses: 0, isRetired: false };
    if (known !== undefined) this.retire(record.id, known);
    this.entries.set(record.id, entry);
    return entry;
  }

  private retire(id: string, entry: Entry): void {
    if (this.entries.get(id) === entry) this.entries.delete(id);
    entry.isRetired = true;
    if (entry.uses === 0) this.end(id, entry);
  }

  private end(id: string, entry: Entry): void {
    const closed = entry.runner
      .close()
      .catch((error: unknown) =>
        this.deps.logger.warn('A client of a runner did not end cleanly', { runnerId: id, error }),
      )
      .finally(() => this.closing.delete(closed));
    this.closing.add(closed);
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
