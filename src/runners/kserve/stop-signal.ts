/**
 * Fires with the first of several signals, and some time later a second time. Unlike those of `AbortSignal.any` its
 * listeners can be taken off again, so that a long-lived signal does not collect one for each job.
 */
export class StopSignal {
  private readonly now = new AbortController();
  private readonly late = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sources: readonly AbortSignal[],
    private readonly lateMs: number,
  ) {
    for (const source of sources) source.addEventListener('abort', this.onAbort);
    if (sources.some(({ aborted }) => aborted)) this.onAbort();
  }

  get signal(): AbortSignal {
    return this.now.signal;
  }

  get lateSignal(): AbortSignal {
    return this.late.signal;
  }

  /** Neither of the two fires any more. */
  dispose(): void {
    clearTimeout(this.timer);
    for (const source of this.sources) source.removeEventListener('abort', this.onAbort);
  }

  private readonly onAbort = (): void => {
    if (this.now.signal.aborted) return;
    const reason: unknown = this.sources.find(({ aborted }) => aborted)?.reason;
    this.timer = setTimeout(() => {
      this.late.abort(reason);
    }, this.lateMs);
    this.now.abort(reason);
  };
}
