import type { Logger } from '../platform/logging/logger.js';

export interface Schedule {
  name: string;
  everyMs: number;
  run(): Promise<void>;
}

/** Runs each schedule now and then every so often after it ended; never twice at a time in one process. */
export class Scheduler {
  private readonly timers = new Map<Schedule, NodeJS.Timeout>();
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    private readonly schedules: readonly Schedule[],
    private readonly logger: Logger,
  ) {}

  start(): void {
    for (const schedule of this.schedules) this.runSoon(schedule, 0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.all(this.running);
  }

  private runSoon(schedule: Schedule, delayMs: number): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      const turn = this.turn(schedule).finally(() => this.running.delete(turn));
      this.running.add(turn);
    }, delayMs);
    this.timers.set(schedule, timer);
  }

  private async turn(schedule: Schedule): Promise<void> {
    try {
      await schedule.run();
    } catch (error) {
      this.logger.warn('A schedule failed; it runs again at its next time', { schedule: schedule.name, error });
    }
    this.runSoon(schedule, schedule.everyMs);
  }
}
