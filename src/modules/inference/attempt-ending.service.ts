import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import { RunnerCheckpointError, RunnerError, RunnerTimeoutError } from '../../runners/runner.errors.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import { removeCheckpointFiles } from './checkpoint-files.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { StopReason } from './claim-keeper.js';
import { backoffMs, type Claim, type Job } from './inference.domain.js';
import { abortIfCancelled, endForGood, repeatLater } from './inference.endings.js';
import type { AttemptEnding, InferenceRepository, JobFailure } from './inference.repository.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  credits: CreditRepository;
  events: EventRepository;
  jobs: InferenceRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  store: Pick<ObjectStore, 'delete'>;
  timeoutSeconds: number;
  maxAttempts: number;
  backoffSeconds: number;
}

/** How an attempt ends without a result: exactly one ending, guarded by its claim. */
export class AttemptEndingService {
  constructor(private readonly deps: Deps) {}

  /** @param reason why this side stopped the run; undefined when it did not */
  async end(claim: Claim, reason: StopReason | undefined, error: unknown, logger: Logger): Promise<void> {
    if (reason === 'claim-lost') {
      logger.warn('The job is no longer of this attempt; its work is dropped');
      return;
    }
    if (reason === 'shutdown') {
      await this.release(claim);
      logger.info('Job given back because of the shutdown');
      return;
    }
    if (reason === 'cancel-requested') {
      await this.abort(claim);
      logger.info('Job aborted at the wish of its owner');
      return;
    }
    if (reason === undefined && error instanceof RunnerCheckpointError) {
      await this.beginAnew(claim, error, logger);
      return;
    }
    const { timeoutSeconds } = claim.job;
    if (reason === 'timeout' && timeoutSeconds !== null && timeoutSeconds <= this.deps.timeoutSeconds) {
      const job = await this.abortLate(claim, timeoutSeconds);
      logger.info('Job aborted at the time limit of its owner', { now: job?.status });
      return;
    }
    const cause =
      reason === 'timeout'
        ? new RunnerTimeoutError(`The attempt took longer than ${this.deps.timeoutSeconds} s.`)
        : error;
    await this.fail(claim, cause, logger);
  }

  /** The result came when the job was no longer of this attempt, or was to be cancelled. */
  async endTooLate(claim: Claim, logger: Logger): Promise<void> {
    const aborted = await this.abort(claim);
    logger.warn('The result came too late', { now: aborted?.status ?? 'the job is no longer of this attempt' });
  }

  private release(claim: Claim): Promise<Job | null> {
    const failure = { code: 'worker-shutdown', message: 'The worker shut down; the job goes on with another.' };
    return this.deps.uow.run((scope) => repeatLater(scope, ending(claim, 'RELEASED', failure), 0));
  }

  /** Nobody can go on from what is kept of this job: the next attempt begins without it. This one does not count. */
  private async beginAnew(claim: Claim, error: RunnerCheckpointError, logger: Logger): Promise<void> {
    const end = ending(claim, 'RELEASED', { code: error.code, message: error.message });
    const orphanedKeys = await this.deps.uow.run(async (scope) => {
      const job = await repeatLater(scope, end, 0);
      return job?.status === 'PENDING' ? scope.repositories.checkpoints.remove(claim.job.id) : [];
    });
    logger.warn('What earlier attempts had done cannot be used; the job begins anew', { error });
    await removeCheckpointFiles(this.deps.store, orphanedKeys, logger);
  }

  private abort(claim: Claim): Promise<Job | null> {
    const failure = { code: 'cancelled', message: 'Stopped at the wish of the owner of the job.' };
    return this.deps.uow.run((scope) => abortIfCancelled(scope, ending(claim, 'ABORTED', failure)));
  }

  /** Its owner gave it no more time than this; another attempt would need as long. */
  private abortLate(claim: Claim, seconds: number): Promise<Job | null> {
    const failure = { code: 'timeout', message: `It took longer than its timeout of ${seconds} s.` };
    return this.deps.uow.run((scope) => endForGood(scope, 'ABORTED', ending(claim, 'ABORTED', failure)));
  }

  private async fail(claim: Claim, error: unknown, logger: Logger): Promise<void> {
    const { failure, retryable } = describeFailure(error);
    const job = await this.deps.uow.run(async (scope) => {
      const spent = (await scope.repositories.jobs.spentAttempts(claim.job.id)) + 1;
      const end = ending(claim, 'FAILED', failure);
      if (!retryable || spent >= this.deps.maxAttempts) return endForGood(scope, 'FAILED', end);
      return repeatLater(scope, end, backoffMs(spent + 1, this.deps.backoffSeconds, Math.random));
    });
    const level = job?.status === 'FAILED' && retryable ? 'error' : 'warn';
    logger[level]('Attempt failed', { error, next: job?.status ?? 'the job is no longer of this attempt' });
  }
}

function ending(claim: Claim, outcome: AttemptEnding['outcome'], failure: JobFailure): AttemptEnding {
  return { id: claim.job.id, token: claim.token, outcome, failure, guard: 'held' };
}

/** What the owner is told, and whether another attempt can help. Foreign errors are the platform's, and pass. */
function describeFailure(error: unknown): { failure: JobFailure; retryable: boolean } {
  if (error instanceof RunnerError) {
    return { failure: { code: error.code, message: error.message }, retryable: error.retryable };
  }
  return {
    failure: { code: 'platform-failure', message: 'The platform failed while it worked on the job.' },
    retryable: true,
  };
}
