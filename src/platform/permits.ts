/** A fixed number of permits, handed out in the order of asking. */
export class Permits {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly count: number) {
    this.free = count;
  }

  get inUse(): number {
    return this.count - this.free;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /**
   * Waits for a permit.
   *
   * @returns gives the permit back; calling it again has no effect
   * @throws the signal's reason when it fires first
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.free > 0) this.free--;
    else await this.wait(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.release();
    };
  }

  private wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.waiting.splice(this.waiting.indexOf(grant), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.waiting.push(grant);
    });
  }

  private release(): void {
    const next = this.waiting.shift();
    // The permit goes straight to the next in line, so that a newcomer cannot overtake.
    if (next === undefined) this.free++;
    else next();
  }
}
