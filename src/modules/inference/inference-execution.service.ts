import type { StoredInferenceResult } from '../../contract/inference.contract.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { repeatWhileUnavailable } from '../../platform/database/while-unavailable.js';
import type { EventBus } from '../../platform/events/event-bus.port.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore, ScratchFile } from '../../platform/storage/object-store.port.js';
import { ObjectMissingError } from '../../platform/storage/object-store.port.js';
import { RunnerCheckpointError, RunnerError, RunnerTimeoutError } from '../../runners/runner.errors.js';
import { CNS_MODEL, type Runner, type RunResult, type RunResume } from '../../runners/runner.port.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import { archiveKey, type Archive } from '../result/result.domain.js';
import type { ResultRepository } from '../result/result.repository.js';
import type { VideoRepository } from '../video/video.repository.js';
import { CheckpointLog } from './checkpoint-log.js';
import type { Start } from './checkpoint.domain.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import { ClaimKeeper } from './claim-keeper.js';
import { backoffMs, footprintOf, type Claim, type Footprint, type Job } from './inference.domain.js';
import { CancelBell } from './cancel-bell.js';
import { abortIfCancelled, endForGood, repeatLater } from './inference.endings.js';
import { statusEvent } from './inference.events.js';
import type { AttemptEnding, InferenceRepository, JobFailure } from './inference.repository.js';
import { settleCompleted } from './inference.settlement.js';
import { JobFiles } from './job-files.js';
import { PartialRowsLog } from './partial-rows-log.js';
import { ProgressLog } from './progress-log.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  credits: CreditRepository;
  events: EventRepository;
  jobs: InferenceRepository;
  results: ResultRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  runner: Runner;
  store: ObjectStore;
  bus: Pick<EventBus, 'subscribe'>;
  logger: Logger;
  /** Name of this worker in the attempts it makes. */
  worker: string;
  leaseSeconds: number;
  timeoutSeconds: number;
  maxAttempts: number;
  backoffSeconds: number;
  wattsPerCore: number;
  gramsPerKwh: number;
  /** How long results are kept; null for ever. */
  resultRetentionSeconds: number | null;
}

/** How long a result waits for a database that is away, before its work is given up. */
const KEEP_RESULT_MS = 3_600_000;

/** Told in the log, and to the owner with the result. */
const BEGUN_ANEW =
  'What an earlier attempt had done could not be used (another version of the engine, other weights, or damage): ' +
  'the job was begun anew.';

interface BegunAttempt {
  claim: Claim;
  start: Start;
}

/** What listens to a run. */
interface Logs {
  keeper: ClaimKeeper;
  partialRows: PartialRowsLog;
  checkpoints: CheckpointLog | null;
}

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
      const begun = await this.begin(id);
      if (begun !== null) await this.work(begun, cancelBell, shutdown);
    } finally {
      cancelBell.close();
    }
  }

  private async work({ claim, start }: BegunAttempt, cancelBell: CancelBell, shutdown: AbortSignal): Promise<void> {
    const { job } = claim;
    const logger = this.deps.logger.child({ jobId: job.id, attempt: job.attempt });
    logger.info('Job started', { resumedRows: start.resumedRows });
    if (start.wasBegunAnew) logger.warn(BEGUN_ANEW);
    await this.removeFiles(start.orphanedKeys, logger);
    const scratch = await this.deps.store.scratch('.zip');
    const progressLog = new ProgressLog(claim, { uow: this.deps.uow, logger });
    const partialRows = new PartialRowsLog(claim, { jobs: this.deps.repositories.jobs, logger }, start.resumedRows);
    const checkpoints = this.checkpointLog(claim, logger);
    const keeper = new ClaimKeeper({
      leaseSeconds: this.deps.leaseSeconds,
      timeoutSeconds: Math.min(this.deps.timeoutSeconds, job.timeoutSeconds ?? Infinity),
      logger,
      shutdown,
      renew: (progress) => this.deps.repositories.jobs.renew(claim, this.deps.leaseSeconds, progress),
      renewed: () => {
        partialRows.tell();
        checkpoints?.tell();
      },
      logProgress: (progress) => progressLog.tell(progress),
    });
    cancelBell.onRing(() => keeper.check());
    try {
      const run = await this.run({ claim, start }, scratch, { keeper, partialRows, checkpoints });
      const result = start.wasBegunAnew ? { ...run, warnings: [...run.warnings, BEGUN_ANEW] } : run;
      await checkpoints?.close();
      // The claim is kept until the result is written: the database may be away just now.
      await this.complete(claim, result, scratch, { logger, shutdown });
      await keeper.close();
    } catch (error) {
      // What is written behind the end of the attempt is refused.
      await checkpoints?.flush();
      await keeper.close();
      await this.endWithoutResult(claim, keeper, error, logger);
    } finally {
      await scratch.discard();
    }
  }

  /** Claims the job, and decides with that whether it goes on where the attempt before stopped. */
  private begin(id: string): Promise<BegunAttempt | null> {
    const { runner, worker, leaseSeconds } = this.deps;
    return this.deps.uow.run(async ({ repositories }) => {
      const claim = await repositories.jobs.claim(id, worker, leaseSeconds);
      if (claim === null) return null;
      const start = await repositories.checkpoints.takeUp(claim, runner.checkpointKey?.(claim.job.parameters) ?? null);
      await repositories.events.append(claim.job.userId, [statusEvent(claim.job)]);
      return { claim, start };
    });
  }

  /** @returns null for a runner that makes no checkpoints */
  private checkpointLog(claim: Claim, logger: Logger): CheckpointLog | null {
    const { uow, store, runner } = this.deps;
    const runnerKey = runner.checkpointKey?.(claim.job.parameters);
    return runnerKey === undefined ? null : new CheckpointLog(claim, { uow, store, logger, runnerKey });
  }

  private async run(
    { claim: { job }, start }: BegunAttempt,
    scratch: ScratchFile,
    { keeper, partialRows, checkpoints }: Logs,
  ): Promise<RunResult> {
    const { store, runner, repositories } = this.deps;
    const [goal, current] = await Promise.all([
      repositories.videos.get(job.goalVideoId),
      repositories.videos.get(job.currentVideoId),
    ]);
    const files = new JobFiles(store, keeper.signal);
    try {
      return await runner.run(
        {
          jobId: job.id,
          attempt: job.attempt,
          goalVideoPath: await files.path(goal.storageKey),
          currentVideoPath: await files.path(current.storageKey),
          frameRate: current.frameRate,
          parameters: job.parameters,
          model: CNS_MODEL,
          archivePath: scratch.path,
          resume: start.resumedRows === 0 ? undefined : await this.resume(job.id, files),
        },
        {
          signal: keeper.signal,
          onProgress: (progress) => keeper.report(progress),
          onRows: (rows) => partialRows.add(rows),
          ...(checkpoints === null ? {} : { onCheckpoint: (checkpoint) => checkpoints.add(checkpoint) }),
        },
      );
    } finally {
      await files.release();
    }
  }

  /** @throws RunnerCheckpointError when a part of it is missing */
  private async resume(jobId: string, files: JobFiles): Promise<RunResume> {
    const progression = await this.deps.repositories.checkpoints.ofJob(jobId);
    if (progression === null) throw new RunnerCheckpointError('The checkpoint of the job is gone.');
    const { picturesKeys, ...resume } = progression;
    const picturesPaths: string[] = [];
    try {
      for (const key of picturesKeys) picturesPaths.push(await files.path(key));
    } catch (error) {
      if (!(error instanceof ObjectMissingError)) throw error;
      throw new RunnerCheckpointError('Pictures of the attempts before are gone.', { cause: error });
    }
    return { ...resume, picturesPaths };
  }

  private async complete(
    claim: Claim,
    run: RunResult,
    scratch: ScratchFile,
    { logger, shutdown }: { logger: Logger; shutdown: AbortSignal },
  ): Promise<void> {
    const staged = await scratch.stage();
    const archive: Archive = {
      key: archiveKey(claim.job.id, claim.token),
      bytes: staged.bytes,
      sha256: staged.sha256,
    };
    const footprint = footprintOf(run.usage, this.deps);
    const payload = this.presentResult(claim.job, run, footprint);
    // File before row: without the row the sweeper takes the file away.
    await staged.commit(archive.key);
    let isOurs: boolean;
    try {
      isOurs = await repeatWhileUnavailable(() => this.writeResult(claim, payload, archive, footprint, logger), {
        signal: shutdown,
        forMs: KEEP_RESULT_MS,
        onFailure: (error) => logger.warn('The result cannot be written now; trying again', { error }),
      });
    } catch (error) {
      await this.discardArchive(claim, archive, logger);
      throw error;
    }
    if (!isOurs) {
      await this.deps.store.delete(archive.key);
      const aborted = await this.abort(claim);
      logger.warn('The result came too late', { now: aborted?.status ?? 'the job is no longer of this attempt' });
      return;
    }
    logger.info('Job completed', { frames: payload.velocity.length, seconds: run.usage.wallSeconds });
  }

  /** @returns whether this result is that of the job, written now or by an earlier try that was not answered */
  private async writeResult(
    claim: Claim,
    payload: StoredInferenceResult,
    archive: Archive,
    footprint: Footprint,
    logger: Logger,
  ): Promise<boolean> {
    const orphanedKeys = await this.deps.uow.run(async ({ repositories }) => {
      const completed = await repositories.jobs.completeIfClaimed(claim, payload.velocity.length, footprint);
      if (completed === null) return null;
      const keptSeconds = this.deps.resultRetentionSeconds;
      await repositories.results.add({ jobId: completed.id, payload, archive, keptSeconds });
      await settleCompleted(repositories.credits, completed);
      await repositories.events.append(completed.userId, [statusEvent(completed, payload)]);
      return repositories.checkpoints.remove(completed.id);
    });
    if (orphanedKeys === null) return this.isStored(claim, archive);
    await this.removeFiles(orphanedKeys, logger);
    return true;
  }

  /** Nothing refers to them any more: what stays behind the sweeper takes away. */
  private async removeFiles(keys: readonly string[], logger: Logger): Promise<void> {
    try {
      for (const key of keys) await this.deps.store.delete(key);
    } catch (error) {
      logger.warn('Files of checkpoints stay behind for the sweeper', { error });
    }
  }

  private async isStored(claim: Claim, archive: Archive): Promise<boolean> {
    const stored = await this.deps.repositories.results.ofJob(claim.job.id);
    return stored?.archive.key === archive.key;
  }

  /** The row may have been written without our hearing of it: without its answer the archive is left to the sweeper. */
  private async discardArchive(claim: Claim, archive: Archive, logger: Logger): Promise<void> {
    try {
      if (!(await this.isStored(claim, archive))) await this.deps.store.delete(archive.key);
    } catch (error) {
      logger.warn('The archive of a result that was not written stays behind', { key: archive.key, error });
    }
  }

  private presentResult(job: Job, run: RunResult, footprint: Footprint): StoredInferenceResult {
    const { kind, name, version } = this.deps.runner.describe();
    return {
      requestId: job.id,
      velocity: run.velocity,
      carbon_footprint: footprint.carbonGrams,
      download_url: `/api/inference/result/zip/${job.id}`,
      message: run.message,
      energy_wh: footprint.energyWh,
      carbon_method: footprint.method,
      carbon_intensity: this.deps.gramsPerKwh,
      device: run.device,
      runner: `${kind}/${name}@${version}`,
      goal: run.goal,
      frames: run.frames,
      usage: {
        wallSeconds: run.usage.wallSeconds,
        cpuSeconds: run.usage.cpuSeconds,
        gpuSeconds: run.usage.gpuSeconds,
      },
      model: run.model,
      warnings: run.warnings,
    };
  }

  private async endWithoutResult(claim: Claim, keeper: ClaimKeeper, error: unknown, logger: Logger): Promise<void> {
    const reason = keeper.stopReason;
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
    await this.removeFiles(orphanedKeys, logger);
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
