import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { EventBus } from '../../platform/events/event-bus.port.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import type { FootprintRates } from '../carbon/footprint.domain.js';
import type { EventRepository } from '../event/event.repository.js';
import type { RunnerPoolService } from '../runner/runner-pool.service.js';
import { runnerOf } from '../runner/runner-place.domain.js';
import type { VideoRepository } from '../video/video.repository.js';
import type { AttemptCompletionService } from './attempt-completion.service.js';
import type { AttemptEndingService } from './attempt-ending.service.js';
import type { AttemptOpeningService, OpenAttempt } from './attempt-opening.service.js';
import { runAttempt, type RunLogs } from './attempt-run.js';
import { CancelBell } from './cancel-bell.js';
import { removeCheckpointFiles } from './checkpoint-files.js';
import { CheckpointLog } from './checkpoint-log.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import { ClaimKeeper } from './claim-keeper.js';
import type { InferenceRepository } from './inference.repository.js';
import { PartialRowsLog } from './partial-rows-log.js';
import { ProgressLog } from './progress-log.js';
import { UsageLog } from './usage-log.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  events: EventRepository;
  jobs: InferenceRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  opening: AttemptOpeningService;
  completion: AttemptCompletionService;
  ending: AttemptEndingService;
  pool: RunnerPoolService;
  store: ObjectStore;
  bus: Pick<EventBus, 'subscribe'>;
  logger: Logger;
  leaseSeconds: number;
  timeoutSeconds: number;
  rates: FootprintRates;
}

/** Told in the log, and to the owner with the result. */
const BEGUN_ANEW =
  'What an earlier attempt had done could not be used (another version of the engine, other weights, or damage): ' +
  'the job was begun anew.';

/** The life of one attempt: claim, run, and exactly one ending, guarded by the claim. */
export class InferenceExecutionService {
  constructor(private readonly deps: Deps) {}

  /**
   * Runs the job if it is there to be had; leaves quietly otherwise.
   * @param shutdown fires when the job is to be given back
   */
  async execute(id: string, shutdown: AbortSignal): Promise<void> {
    const cancelBell = new CancelBell(this.deps.bus, id);
    try {
      const attempt = await this.deps.opening.open(id);
      if (attempt === null) return;
      try {
        await this.work(attempt, cancelBell, shutdown);
      } finally {
        attempt.place.release();
      }
    } finally {
      cancelBell.close();
    }
  }

  private async work(attempt: OpenAttempt, cancelBell: CancelBell, shutdown: AbortSignal): Promise<void> {
    const { claim, start, place } = attempt;
    const logger = this.deps.logger.child({ jobId: claim.job.id, attempt: claim.job.attempt });
    logger.info('Job started', { resumedRows: start.resumedRows, runner: place.reference.name });
    if (start.wasBegunAnew) logger.warn(BEGUN_ANEW);
    await removeCheckpointFiles(this.deps.store, start.orphanedKeys, logger);
    const scratch = await this.deps.store.scratch('.zip');
    const logs = this.listen(attempt, shutdown, logger);
    const { keeper, checkpoints, usage } = logs;
    cancelBell.onRing(() => keeper.check());
    try {
      const run = await runAttempt(attempt, scratch, logs, this.deps);
      await this.deps.pool.report(attempt, null);
      const result = start.wasBegunAnew ? { ...run, warnings: [...run.warnings, BEGUN_ANEW] } : run;
      await checkpoints?.close();
      // The claim is kept until the result is written: the database may be away just now.
      const finished = { result, runner: runnerOf(place), scratch };
      const isOurs = await this.deps.completion.complete(claim, finished, logger, shutdown);
      if (!isOurs) await this.deps.ending.endTooLate(claim, logger);
      await keeper.close();
    } catch (error) {
      // What is written behind the end of the attempt is refused.
      await checkpoints?.flush();
      await usage.flush();
      await keeper.close();
      // Before the job is given back: its runner may want to be left alone.
      const cause = this.deps.ending.causeOf(claim, keeper.stopReason, error);
      if (cause !== null) await this.deps.pool.report(attempt, cause);
      await this.deps.ending.end(attempt, keeper.stopReason, error, logger);
    } finally {
      await scratch.discard();
    }
  }

  private listen(attempt: OpenAttempt, shutdown: AbortSignal, logger: Logger): RunLogs {
    const { claim, start } = attempt;
    const { jobs } = this.deps.repositories;
    const progressLog = new ProgressLog(claim, { uow: this.deps.uow, logger });
    const partialRows = new PartialRowsLog(claim, { jobs, logger }, start.resumedRows);
    const checkpoints = this.checkpointLog(attempt, logger);
    const usage = new UsageLog(claim, { jobs, logger, rates: this.deps.rates });
    const keeper = new ClaimKeeper({
      leaseSeconds: this.deps.leaseSeconds,
      timeoutSeconds: Math.min(this.deps.timeoutSeconds, claim.job.timeoutSeconds ?? Infinity),
      logger,
      shutdown,
      renew: (progress) => jobs.renew(claim, this.deps.leaseSeconds, progress),
      renewed: () => {
        partialRows.tell();
        checkpoints?.tell();
        usage.tell();
      },
      logProgress: (progress) => progressLog.tell(progress),
    });
    return { keeper, partialRows, checkpoints, usage };
  }

  /** @returns null for a runner that makes no checkpoints */
  private checkpointLog({ claim, place }: OpenAttempt, logger: Logger): CheckpointLog | null {
    const { uow, store } = this.deps;
    const runnerKey = place.runner.checkpointKey?.(claim.job.parameters);
    return runnerKey === undefined ? null : new CheckpointLog(claim, { uow, store, logger, runnerKey });
  }
}
