import type { Logger } from './logging/logger.js';

/** Order of a shutdown: what takes in work ends first, what others stand on ends last. */
export const STAGES = ['intake', 'work', 'connections', 'foundation'] as const;
export type Stage = (typeof STAGES)[number];

interface Part {
  name: string;
  stage: Stage;
  stop(): Promise<void>;
}

/** Every part with a socket, a timer or a process registers its end here as it is made. */
export class Lifecycle {
  private readonly parts: Part[] = [];
  private stopping: Promise<void> | undefined;
  private readonly controller = new AbortController();

  constructor(private readonly logger: Logger) {}

  /** Fires when the shutdown begins. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  register(stage: Stage, name: string, stop: () => Promise<void>): void {
    this.parts.push({ stage, name, stop });
  }

  /** Stops everything, stage by stage, the youngest part of a stage first. Safe to call again: same promise. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    this.controller.abort(new Error('shutting down'));
    const failures: unknown[] = [];
    for (const stage of STAGES) {
      for (const part of this.parts.filter((candidate) => candidate.stage === stage).reverse()) {
        try {
          await part.stop();
        } catch (error) {
          failures.push(error);
          this.logger.error('A part did not stop cleanly', { part: part.name, error });
        }
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'The shutdown was not clean');
  }
}
