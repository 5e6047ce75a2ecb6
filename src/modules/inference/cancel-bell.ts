import { CANCEL_CHANNEL, type EventBus } from '../../platform/events/event-bus.port.js';

/**
 * Hears that somebody may want a job stopped, from before its claim on, so that nothing falls between the two. Whether it
 * is so, the row says.
 */
export class CancelBell {
  private readonly unsubscribe: () => void;
  private hasRung = false;
  private listener: (() => void) | null = null;

  constructor(bus: Pick<EventBus, 'subscribe'>, jobId: string) {
    this.unsubscribe = bus.subscribe((id) => {
      if (id === null || id === jobId) this.ring();
    }, CANCEL_CHANNEL);
  }

  /** Told at once of what rang before. */
  onRing(listener: () => void): void {
    this.listener = listener;
    if (this.hasRung) listener();
  }

  close(): void {
    this.unsubscribe();
  }

  private ring(): void {
    this.hasRung = true;
    this.listener?.();
  }
}
