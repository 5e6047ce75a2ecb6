import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import { statusEvent } from './inference.events.js';
import type { InferenceRepository } from './inference.repository.js';
import { releaseHold } from './inference.settlement.js';

interface Repositories {
  credits: CreditRepository;
  events: EventRepository;
  jobs: InferenceRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  logger: Logger;
  maxAttempts: number;
  /** How long a due job may lie before its bell is rung again. */
  graceSeconds: number;
}

const BATCH = 500;

/** Finds what workers and queues have lost. Several may run at once: every move is guarded. */
export class InferenceRecoveryService {
  constructor(private readonly deps: Deps) {}

  async reconcile(): Promise<void> {
    for (const claim of await this.deps.repositories.jobs.expiredClaims(BATCH)) {
      await this.recover(claim.id, claim.claimToken);
    }
    await this.ringAgain();
  }

  /** A worker fell silent: its job goes to another, or fails when that happened too often. */
  private async recover(id: string, token: string): Promise<void> {
    const failure = { code: 'worker-lost', message: 'The worker stopped answering.' };
    const lost = { id, token, outcome: 'LOST', failure, guard: 'expired' } as const;
    const job = await this.deps.uow.run(async ({ repositories, ring }) => {
      const spent = (await repositories.jobs.spentAttempts(id)) + 1;
      if (spent >= this.deps.maxAttempts) {
        const failed = await repositories.jobs.endIfClaimed('FAILED', lost);
        if (failed === null) return null;
        await releaseHold(repositories.credits, failed);
        await repositories.events.append(failed.userId, [statusEvent(failed)]);
        return failed;
      }
      const pending = await repositories.jobs.requeueIfClaimed(lost, 0);
      if (pending === null) return null;
      await repositories.events.append(pending.userId, [statusEvent(pending)]);
      ring({ kind: 'run-inference', id, round: pending.attempt, priority: pending.priority, delayMs: 0 });
      return pending;
    });
    if (job !== null)
      this.deps.logger.warn('A worker fell silent', { jobId: id, next: job.status, attempt: job.attempt });
  }

  /** The row is the truth: whatever is due and not being worked on gets its bell rung; a bell that still hangs stays one. */
  private async ringAgain(): Promise<void> {
    const overdue = await this.deps.repositories.jobs.overdue(this.deps.graceSeconds, BATCH);
    if (overdue.length === 0) return;
    await this.deps.uow.run(async ({ ring }) => {
      for (const { id, attempt, priority } of overdue) {
        ring({ kind: 'run-inference', id, round: attempt, priority, delayMs: 0 });
      }
      return Promise.resolve();
    });
  }
}
