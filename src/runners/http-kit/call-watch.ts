import { RunnerTimeoutError } from '../runner.errors.js';

/**
 * The deadlines of one call. Silence is measured anew in each phase (sending, waiting, reading); what is read has a
 * deadline as a whole besides, or one byte a minute would keep a slot for ever. The signal fires with the reason of the
 * caller, or with a RunnerTimeoutError that says what did not happen.
 */
export class CallWatch {
  private readonly controller = new AbortController();
  private silence: NodeJS.Timeout | undefined;
  private whole: NodeJS.Timeout | undefined;
  private isReading = false;

  /** @param peer who is waited for, as a sentence begins */
  constructor(
    private readonly outer: AbortSignal,
    private readonly peer: string,
  ) {
    outer.addEventListener('abort', this.onOuterAbort);
    if (outer.aborted) this.onOuterAbort();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The input is on its way. */
  sending(idleMs: number): void {
    this.expect(idleMs, (seconds) => `${this.peer} took nothing more of the input for ${seconds} s.`);
  }

  /** The input has been sent. @param ms null: only the caller's signal ends it */
  waiting(ms: number | null): void {
    this.expect(ms, (seconds) => `${this.peer} did not begin to answer within ${seconds} s.`);
  }

  /** The head of the answer is there. Input that is still being sent changes nothing any more. */
  reading(idleMs: number, wholeMs: number): void {
    this.expect(idleMs, (seconds) => `${this.peer} stopped in the middle of its answer for ${seconds} s.`);
    this.isReading = true;
    const message = `${this.peer} had not finished its answer after ${wholeMs / 1000} s.`;
    this.whole = setTimeout(() => this.controller.abort(new RunnerTimeoutError(message)), wholeMs);
  }

  /** Bytes have flowed. */
  touch(): void {
    this.silence?.refresh();
  }

  /** Nothing fires any more. */
  close(): void {
    clearTimeout(this.silence);
    clearTimeout(this.whole);
    this.outer.removeEventListener('abort', this.onOuterAbort);
  }

  private readonly onOuterAbort = (): void => this.controller.abort(this.outer.reason);

  private expect(ms: number | null, describe: (seconds: number) => string): void {
    if (this.isReading) return;
    clearTimeout(this.silence);
    this.silence =
      ms === null
        ? undefined
        : setTimeout(() => this.controller.abort(new RunnerTimeoutError(describe(ms / 1000))), ms);
  }
}
