import type { Logger } from './logging/logger.js';

/** Order of a shutdown: what takes in work ends first, what others stand on ends last. */
export const STAGES = ['intake', 'work', 'connections', 'foundation'] as const;
export type Stage = (typeof STAGES)[number];

interface Part {
  name: string;
  stage: Stage;
  stop(): Promise<void>;
}

/** A part may take at least this long, however short the shutdown is set. */
const SHORTEST_LIMIT_MS = 5_000;

/** Every part with a socket, a timer or a process registers its end here as it is made. */
export class Lifecycle {
  private readonly parts: Part[] = [];
  private stopping: Promise<void> | undefined;
  private readonly controller = new AbortController();

  /** @param shutdownMs how long the whole shutdown should take; each part gets a share of it */
  constructor(
    private readonly logger: Logger,
    private readonly shutdownMs = 30_000,
  ) {}

  /** Fires when the shutdown begins. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  register(stage: Stage, name: string, stop: () => Promise<void>): void {
    this.parts.push({ stage, name, stop });
  }

  /**
   * Stops everything, stage by stage. All that takes in work stops at the same time, else workers would take new jobs
   * while requests end; in later stages the youngest part goes first, one after the other. A part that is not done in
   * its time is left behind. Safe to call again: same promise.
   * @throws AggregateError of what failed or took too long, after everything else has stopped
   */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    this.controller.abort(new Error('shutting down'));
    const failures: unknown[] = [];
    const stopPart = async (part: Part): Promise<void> => {
      try {
        await within(this.limitOf(part.stage), part);
      } catch (error) {
        failures.push(error);
        this.logger.error('A part did not stop cleanly', { part: part.name, error });
      }
    };
    for (const stage of STAGES) {
      const youngestFirst = this.parts.filter((part) => part.stage === stage).reverse();
      if (stage === 'intake') await Promise.all(youngestFirst.map(stopPart));
      else for (const part of youngestFirst) await stopPart(part);
    }
    if (failures.length > 0) throw new AggregateError(failures, 'The shutdown was not clean');
  }

  /** The foundation comes last and has nobody to make room for: a database ends as it needs to. */
  private limitOf(stage: Stage): number {
    const share = { intake: 1 / 2, work: 1 / 6, connections: 1 / 6, foundation: 1 }[stage];
    return Math.max(SHORTEST_LIMIT_MS, this.shutdownMs * share);
  }
}

async function within(milliseconds: number, part: Part): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${part.name} did not stop within ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([part.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}
