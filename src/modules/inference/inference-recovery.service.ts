import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { isDatabaseUnavailable } from '../../platform/database/database-errors.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import type { ExpiredClaim } from './inference.domain.js';
import { endForGood, repeatLater, settleEnd } from './inference.endings.js';
import type { InferenceRepository } from './inference.repository.js';

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
  leaseSeconds: number;
  /** How long a due job may lie before its bell is rung again. */
  graceSeconds: number;
}

const BATCH = 500;
/** So many of the most urgent overdue jobs may get a second bell; a longer queue is a backlog, not a loss. */
const RING_AGAIN = 50;
/** A job whose rows somebody holds for longer than this has to wait for the next turn. */
const LOCKS = { lockTimeoutMs: 5_000 };

/** Finds what workers and queues have lost. Several may run at once: every move is guarded. */
export class InferenceRecoveryService {
  private readonly contact: DatabaseContact;

  constructor(private readonly deps: Deps) {
    this.contact = new DatabaseContact(deps.leaseSeconds * 1000);
  }

  /** Takes jobs back from workers that fell silent. */
  async recoverLost(): Promise<void> {
    let after: ExpiredClaim | null = null;
    do {
      const page: ExpiredClaim[] = await this.contact.through(() =>
        this.deps.repositories.jobs.expiredClaims(BATCH, after),
      );
      if (!this.contact.isSteady()) return;
      for (const claim of page) await this.recoverOne(claim);
      after = page.length < BATCH ? null : page[page.length - 1];
    } while (after !== null);
  }

  /** One job that cannot be settled does not keep the others waiting. */
  private async recoverOne({ id, claimToken }: ExpiredClaim): Promise<void> {
    try {
      await this.recover(id, claimToken);
    } catch (error) {
      if (isDatabaseUnavailable(error)) {
        this.contact.lost();
        throw error;
      }
      this.deps.logger.error('A job of a silent worker could not be taken back', { jobId: id, error });
    }
  }

  /** A worker fell silent: its job goes to another, fails when that happened too often, or ends as its owner wished. */
  private async recover(id: string, token: string): Promise<void> {
    const failure = { code: 'worker-lost', message: 'The worker stopped answering.' };
    const lost = { id, token, outcome: 'LOST', failure, guard: 'expired' } as const;
    const job = await this.deps.uow.run(async (scope) => {
      const spent = (await scope.repositories.jobs.spentAttempts(id)) + 1;
      return spent >= this.deps.maxAttempts ? endForGood(scope, 'FAILED', lost) : repeatLater(scope, lost, 0);
    }, LOCKS);
    if (job !== null)
      this.deps.logger.warn('A worker fell silent', { jobId: id, next: job.status, attempt: job.attempt });
  }

  /** Aborts jobs that should have started by now. */
  async abortUnstarted(): Promise<void> {
    const ids = await this.deps.repositories.jobs.unstarted(BATCH);
    for (const id of ids) {
      try {
        await this.deps.uow.run(async (scope) => {
          const aborted = await scope.repositories.jobs.abortUnstarted(id);
          if (aborted !== null) await settleEnd(scope, aborted);
        }, LOCKS);
      } catch (error) {
        if (isDatabaseUnavailable(error)) throw error;
        this.deps.logger.error('A job that missed its start could not be aborted', { jobId: id, error });
      }
    }
  }

  /** The row is the truth: whatever is due and not being worked on gets its bell rung; a bell that still hangs stays one. */
  async ringAgain(): Promise<void> {
    const overdue = await this.deps.repositories.jobs.overdue(this.deps.graceSeconds, BATCH);
    if (overdue.length === 0) return;
    await this.deps.uow.run(async ({ ring }) => {
      for (const [place, { id, attempt, priority }] of overdue.entries()) {
        ring({ kind: 'run-inference', id, round: attempt, priority, delayMs: 0, again: place < RING_AGAIN });
      }
      return Promise.resolve();
    }, LOCKS);
  }
}

/**
 * Workers could not renew while the database was away; that is not their fault. After trouble, silence counts again when
 * the database could be reached for one whole lease. At the start it counts at once.
 */
class DatabaseContact {
  private hadTrouble = false;
  private steadySince = -Infinity;

  constructor(private readonly leaseMs: number) {}

  isSteady(): boolean {
    return performance.now() - this.steadySince >= this.leaseMs;
  }

  async through<T>(ask: () => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    try {
      const answer = await ask();
      // An answer after so long: others could not renew meanwhile either.
      const wasSlow = performance.now() - askedAt >= this.leaseMs / 2;
      if (this.hadTrouble || wasSlow) this.steadySince = performance.now();
      this.hadTrouble = false;
      return answer;
    } catch (error) {
      if (isDatabaseUnavailable(error)) this.lost();
      throw error;
    }
  }

  lost(): void {
    this.hadTrouble = true;
  }
}
