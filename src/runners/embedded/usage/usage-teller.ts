import type { RunUsage } from '../../runner.port.js';
import type { UsageMeter } from './usage-meter.js';

const TELL_EVERY_MS = 1_000;

/** Tells somebody of the consumption now and then, so that it is known when the job does not end well. */
export class UsageTeller {
  private toldAt = performance.now();

  constructor(
    private readonly meter: UsageMeter,
    private readonly onUsage: ((usage: RunUsage) => void) | undefined,
  ) {}

  /** Tells it if the last time was long ago. */
  tell(): void {
    if (performance.now() - this.toldAt >= TELL_EVERY_MS) this.tellNow();
  }

  tellNow(): void {
    this.toldAt = performance.now();
    this.onUsage?.(this.meter.read());
  }
}
