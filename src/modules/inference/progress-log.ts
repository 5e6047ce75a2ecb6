import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { RunProgress } from '../../runners/runner.port.js';
import type { EventRepository } from '../event/event.repository.js';
import type { Claim } from './inference.domain.js';
import { statusEvent } from './inference.events.js';
import type { InferenceRepository } from './inference.repository.js';

interface Deps {
  uow: UnitOfWork<{ events: EventRepository; jobs: InferenceRepository }>;
  logger: Logger;
}

/** An entry that somebody else's transaction keeps waiting for longer is left out: the next one says more. */
const LOCKS = { lockTimeoutMs: 1_000 };

/**
 * Puts the progress of one attempt into the event log, beside the renewals of its claim and never in their way: whoever
 * holds the user's row may delay an entry, not a claim. An entry that fails is left out.
 */
export class ProgressLog {
  private isWriting = false;

  constructor(
    private readonly claim: Claim,
    private readonly deps: Deps,
  ) {}

  tell(progress: RunProgress): void {
    if (this.isWriting) return;
    this.isWriting = true;
    void this.write(progress).finally(() => {
      this.isWriting = false;
    });
  }

  private async write(progress: RunProgress): Promise<void> {
    const { job } = this.claim;
    try {
      await this.deps.uow.run(async ({ repositories }) => {
        // RUNNING never follows the end of the attempt: it has been told already, or waits for this transaction.
        if (!(await repositories.jobs.holdClaim(this.claim))) return;
        await repositories.events.append(job.userId, [statusEvent({ ...job, progress })]);
      }, LOCKS);
    } catch (error) {
      this.deps.logger.debug('An entry about progress is left out', { error });
    }
  }
}
