import type { Logger } from '../../platform/logging/logger.js';
import type { RunProgress } from '../../runners/runner.port.js';

/** Why a run was stopped from our side; the reason of the run's AbortSignal. */
export type StopReason = 'claim-lost' | 'cancel-requested' | 'timeout' | 'shutdown';

export class StopRequest extends Error {
  override readonly name = 'StopRequest';
  constructor(readonly reason: StopReason) {
    super(`The run is to stop: ${reason}`);
  }
}

interface Deps {
  leaseSeconds: number;
  timeoutSeconds: number;
  logger: Logger;
  /** Fires at shutdown, when the job is to be given back. */
  shutdown: AbortSignal;
  /** @returns null when the claim is lost */
  renew(progress: RunProgress | null): Promise<{ cancelRequested: boolean } | null>;
  /** Told of each renewal that kept the claim. */
  renewed(): void;
  /** Told of some of the progress, after it was renewed with. */
  logProgress(progress: RunProgress): void;
}

const TICK_MS = 1_000;
/** Progress goes into the event log in steps of at least this share, so a job adds at most twenty entries. */
const LOGGED_STEP = 0.05;

/**
 * Renews a claim while a run goes on, carries its progress, and stops the run when it must not go on. When the database
 * does not answer, the run goes on: nobody else may have taken the job, and the guarded write at the end decides.
 */
export class ClaimKeeper {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly deadline: NodeJS.Timeout;
  private readonly onShutdown = (): void => this.stop('shutdown');
  private renewedAt = performance.now();
  private progress: RunProgress | null = null;
  private sharedProcessed = -1;
  private loggedShare = 0;
  private ticking: Promise<void> = Promise.resolve();
  private busy = false;
  private isAsked = false;
  private isClosed = false;

  constructor(private readonly deps: Deps) {
    this.timer = setInterval(() => this.startTick(), Math.min(TICK_MS, (deps.leaseSeconds * 1000) / 4));
    // setTimeout cannot wait for longer than 2^31 - 1 ms.
    this.deadline = setTimeout(() => this.stop('timeout'), Math.min(deps.timeoutSeconds * 1000, 2 ** 31 - 1));
    if (deps.shutdown.aborted) this.stop('shutdown');
    else deps.shutdown.addEventListener('abort', this.onShutdown);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Why the run was stopped; undefined while it was not. */
  get stopReason(): StopReason | undefined {
    return this.signal.reason instanceof StopRequest ? this.signal.reason.reason : undefined;
  }

  report(progress: RunProgress): void {
    this.progress = progress;
  }

  /** Asks the row at once what is to be done, instead of at the next renewal. */
  check(): void {
    this.isAsked = true;
    this.startTick();
  }

  /** Ends the keeping; afterwards the claim is the caller's alone to end. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    clearTimeout(this.deadline);
    this.deps.shutdown.removeEventListener('abort', this.onShutdown);
    await this.ticking;
  }

  private stop(reason: StopReason): void {
    if (!this.signal.aborted) this.controller.abort(new StopRequest(reason));
  }

  private startTick(): void {
    if (this.busy || this.isClosed) return;
    this.busy = true;
    this.ticking = this.tick().finally(() => {
      this.busy = false;
      // What the row said while somebody asked may be of before.
      if (this.isAsked) this.startTick();
    });
  }

  private async tick(): Promise<void> {
    const progress = this.progress !== null && this.progress.processed !== this.sharedProcessed ? this.progress : null;
    const due = performance.now() - this.renewedAt >= (this.deps.leaseSeconds * 1000) / 3;
    if (!due && !this.isAsked && progress === null) return;
    this.isAsked = false;
    const share = progress === null ? 0 : progress.processed / Math.max(1, progress.total);
    const log = progress !== null && share - this.loggedShare >= LOGGED_STEP;
    const startedAt = performance.now();
    try {
      const answer = await this.deps.renew(progress);
      if (answer === null) {
        this.stop('claim-lost');
        return;
      }
      this.renewedAt = startedAt;
      this.deps.renewed();
      if (progress !== null) this.sharedProcessed = progress.processed;
      if (log) {
        this.loggedShare = share;
        this.deps.logProgress(progress);
      }
      if (answer.cancelRequested) this.stop('cancel-requested');
    } catch (error) {
      this.deps.logger.warn('The claim could not be renewed', { error });
    }
  }
}
