import { toStorableText } from '../../platform/database/storable-json.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import {
  RunnerBusyError,
  RunnerCancelledError,
  RunnerCheckpointError,
  RunnerError,
  RunnerRefusedError,
  RunnerTimeoutError,
  type StopEvidence,
} from '../../runners/runner.errors.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import type { ModelRepository } from '../model/model.repository.js';
import type { RunnerPoolService } from '../runner/runner-pool.service.js';
import type { OpenAttempt } from './attempt-opening.service.js';
import { removeCheckpointFiles } from './checkpoint-files.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { StopReason } from './claim-keeper.js';
import { backoffMs, type Claim, type Job } from './inference.domain.js';
import { abortIfCancelled, endForGood, repeatLater } from './inference.endings.js';
import type { AttemptEnding, InferenceRepository, JobFailure } from './inference.repository.js';
import { needOf } from './job-need.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  credits: CreditRepository;
  events: EventRepository;
  jobs: InferenceRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Pick<Repositories, 'jobs'> & { models: ModelRepository };
  pool: Pick<RunnerPoolService, 'canServe'>;
  store: Pick<ObjectStore, 'delete'>;
  timeoutSeconds: number;
  maxAttempts: number;
  backoffSeconds: number;
}

/** How an attempt ends without a result: exactly one ending, guarded by its claim. */
export class AttemptEndingService {
  constructor(private readonly deps: Deps) {}

  /** @param reason why this side stopped the run; undefined when it did not */
  async end(attempt: OpenAttempt, reason: StopReason | undefined, error: unknown, logger: Logger): Promise<void> {
    const { claim } = attempt;
    const stop = error instanceof RunnerCancelledError ? error.stop : null;
    if (reason === 'claim-lost') {
      logger.warn('The job is no longer of this attempt; its work is dropped');
      return;
    }
    if (reason === 'shutdown') {
      await this.release(claim, stop);
      logger.info('Job given back because of the shutdown');
      return;
    }
    if (reason === 'cancel-requested') {
      await this.abort(claim, stop);
      logger.info('Job aborted at the wish of its owner', { stop });
      return;
    }
    if (reason === undefined && error instanceof RunnerBusyError) {
      await this.giveBack(claim, error);
      logger.info('The runner had no place after all; the job waits for one', { error });
      return;
    }
    if (reason === undefined && error instanceof RunnerCheckpointError) {
      await this.beginAnew(claim, error, logger);
      return;
    }
    const { timeoutSeconds } = claim.job;
    if (reason === 'timeout' && this.isOwnersLimit(timeoutSeconds)) {
      const job = await this.abortLate(claim, timeoutSeconds, stop);
      logger.info('Job aborted at the time limit of its owner', { now: job?.status });
      return;
    }
    await this.fail(attempt, this.causeOf(claim, reason, error) ?? error, stop, logger);
  }

  /** What the runner has to answer for; null when this side stopped the run for a reason of its own. */
  causeOf({ job }: Claim, reason: StopReason | undefined, error: unknown): unknown {
    if (reason === undefined) return error;
    // Whether a limit of the owner is enough for the job is not for the runner to say.
    if (reason !== 'timeout' || this.isOwnersLimit(job.timeoutSeconds)) return null;
    return new RunnerTimeoutError(`The attempt took longer than ${this.deps.timeoutSeconds} s.`);
  }

  private isOwnersLimit(seconds: number | null): seconds is number {
    return seconds !== null && seconds <= this.deps.timeoutSeconds;
  }

  /** The result came when the job was no longer of this attempt, or was to be cancelled. */
  async endTooLate(claim: Claim, logger: Logger): Promise<void> {
    const aborted = await this.abort(claim, null);
    logger.warn('The result came too late', { now: aborted?.status ?? 'the job is no longer of this attempt' });
  }

  private release(claim: Claim, stop: StopEvidence | null): Promise<Job | null> {
    const failure = { code: 'worker-shutdown', message: 'The worker shut down; the job goes on with another.' };
    return this.deps.uow.run((scope) => repeatLater(scope, ending(claim, 'RELEASED', failure, stop), 0));
  }

  /** Nothing was begun, so the attempt does not count. */
  private giveBack(claim: Claim, { code, message }: RunnerBusyError): Promise<Job | null> {
    return this.deps.uow.run((scope) =>
      repeatLater(scope, ending(claim, 'RELEASED', { code, message: toStorableText(message) }), 0),
    );
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

  private abort(claim: Claim, stop: StopEvidence | null): Promise<Job | null> {
    const failure = { code: 'cancelled', message: 'Stopped at the wish of the owner of the job.' };
    return this.deps.uow.run((scope) => abortIfCancelled(scope, ending(claim, 'ABORTED', failure, stop)));
  }

  /** Its owner gave it no more time than this; another attempt would need as long. */
  private abortLate(claim: Claim, seconds: number, stop: StopEvidence | null): Promise<Job | null> {
    const failure = { code: 'timeout', message: `It took longer than its timeout of ${seconds} s.` };
    return this.deps.uow.run((scope) => endForGood(scope, 'ABORTED', ending(claim, 'ABORTED', failure, stop)));
  }

  private async fail(attempt: OpenAttempt, error: unknown, stop: StopEvidence | null, logger: Logger): Promise<void> {
    const { claim } = attempt;
    const { failure, retryable: mayHelp } = describeFailure(error);
    const retryable = mayHelp && (!(error instanceof RunnerRefusedError) || (await this.canGoElsewhere(attempt)));
    const job = await this.deps.uow.run(async (scope) => {
      const spent = (await scope.repositories.jobs.spentAttempts(claim.job.id)) + 1;
      const end = ending(claim, 'FAILED', failure, stop);
      if (!retryable || spent >= this.deps.maxAttempts) return endForGood(scope, 'FAILED', end);
      return repeatLater(scope, end, backoffMs(spent + 1, this.deps.backoffSeconds, Math.random));
    });
    const level = job?.status === 'FAILED' && retryable ? 'error' : 'warn';
    logger[level]('Attempt failed', { error, next: job?.status ?? 'the job is no longer of this attempt' });
  }

  /** Where it was refused it would be refused again. */
  private async canGoElsewhere({ claim: { job }, place }: OpenAttempt): Promise<boolean> {
    const need = await needOf(job, this.deps.repositories);
    return this.deps.pool.canServe({ ...need, excluded: new Set([...need.excluded, place.reference.id]) });
  }
}

function ending(
  claim: Claim,
  outcome: AttemptEnding['outcome'],
  failure: JobFailure,
  stop: StopEvidence | null = null,
): AttemptEnding {
  return { id: claim.job.id, token: claim.token, outcome, failure, guard: 'held', stop };
}

/** What the owner is told, and whether another attempt can help. Foreign errors are the platform's, and pass. */
function describeFailure(error: unknown): { failure: JobFailure; retryable: boolean } {
  if (error instanceof RunnerError) {
    return { failure: { code: error.code, message: toStorableText(error.message) }, retryable: error.retryable };
  }
  return {
    failure: { code: 'platform-failure', message: 'The platform failed while it worked on the job.' },
    retryable: true,
  };
}
