import type { EventBus } from '../platform/events/event-bus.port.js';
import type { Logger } from '../platform/logging/logger.js';

interface Deps {
  bus: EventBus;
  /** Rings for the webhooks of these users; null: of all. */
  ringFor(userIds: readonly string[] | null): Promise<void>;
  logger: Logger;
}

/**
 * Rings for webhooks when the log has something new for them, apart from the transactions that write it: no job waits for
 * a webhook. What is missed here is found by the scheduler's sweep.
 */
export class WebhookBells {
  private readonly users = new Set<string>();
  private everybody = false;
  private running: Promise<void> | null = null;
  private readonly unsubscribe: () => void;

  constructor(private readonly deps: Deps) {
    this.unsubscribe = deps.bus.subscribe((userId) => {
      if (userId === null) this.everybody = true;
      else this.users.add(userId);
      this.running ??= this.run().finally(() => (this.running = null));
    });
  }

  async close(): Promise<void> {
    this.unsubscribe();
    await this.running;
  }

  /** One question for all who have news by then. */
  private async run(): Promise<void> {
    while (this.everybody || this.users.size > 0) {
      const whom = this.everybody ? null : [...this.users];
      this.everybody = false;
      this.users.clear();
      try {
        await this.deps.ringFor(whom);
      } catch (error) {
        this.deps.logger.warn('Webhooks could not be told of new events; the sweep will', { error });
      }
    }
  }
}
