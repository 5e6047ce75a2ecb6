import type { Logger } from '../../platform/logging/logger.js';
import type { RunUsage } from '../../runners/runner.port.js';
import { footprintOf, type FootprintRates } from '../carbon/footprint.domain.js';
import type { Claim } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';

interface Deps {
  jobs: Pick<InferenceRepository, 'noteFootprint'>;
  rates: FootprintRates;
  logger: Logger;
}

/**
 * Keeps what an attempt has consumed so far in its row, so that it counts however the attempt ends: by a failure, a
 * cancellation, or the silence of this worker. A failure here never harms the run.
 */
export class UsageLog {
  private latest: RunUsage | null = null;
  private writing: Promise<void> = Promise.resolve();
  private isWriting = false;

  constructor(
    private readonly claim: Claim,
    private readonly deps: Deps,
  ) {}

  add(usage: RunUsage): void {
    this.latest = usage;
  }

  /** Writes what is new, unless that is going on. */
  tell(): void {
    if (this.isWriting || this.latest === null) return;
    const usage = this.latest;
    this.latest = null;
    this.isWriting = true;
    this.writing = this.write(usage).finally(() => {
      this.isWriting = false;
    });
  }

  /** Writes what is new, before the attempt ends. */
  async flush(): Promise<void> {
    await this.writing;
    this.tell();
    await this.writing;
  }

  private async write(usage: RunUsage): Promise<void> {
    try {
      await this.deps.jobs.noteFootprint(this.claim, footprintOf(usage, this.deps.rates));
    } catch (error) {
      this.deps.logger.warn('What the attempt has consumed cannot be written now', { error });
      this.latest ??= usage;
    }
  }
}
