import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import { cutPage, decodeCursor, NUMBER_KEY, UUID_KEY, type Page } from '../../platform/page.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { StopEvidence } from '../../runners/runner.errors.js';
import type { RunParameters, RunProgress } from '../../runners/runner.port.js';
import { sumFootprints, type Footprint } from '../carbon/footprint.domain.js';
import { UsageDayDao } from '../usage/usage-day.dao.js';
import type { ModelOfJob } from '../model/model.domain.js';
import type { RunnerReference } from '../runner/runner.domain.js';
import { AttemptDao } from './attempt.dao.js';
import { JobDao, type ClaimGuard, type JobRow } from './inference.dao.js';
import { toJob } from './inference.mapping.js';
import { PartialRowsDao } from './partial-rows.dao.js';
import { JobListDao, type JobPlace } from './job-list.dao.js';
import {
  isFinal,
  type JobFilter,
  type AttemptOutcome,
  type Claim,
  type ExpiredClaim,
  type Job,
} from './inference.domain.js';

export interface NewJob {
  userId: string;
  datasetId: string;
  goalVideoId: string;
  currentVideoId: string;
  parameters: RunParameters;
  model: ModelOfJob;
  priority: number;
  cost: number;
  startDeadline: Date | null;
  timeoutSeconds: number | null;
  retryOf: string | null;
}

export interface JobFailure {
  code: string;
  /** For the owner of the job. */
  message: string;
}

/** How an attempt ended without a result, and who says so. */
export interface AttemptEnding {
  id: string;
  token: string;
  outcome: AttemptOutcome;
  failure: JobFailure;
  guard: ClaimGuard;
  /** How it is known that the work has stopped; left out where nobody told it to. */
  stop?: StopEvidence | null;
}

/** A runner that failed a job, as the runner is now. */
export interface RunnerFailure {
  runnerId: string;
  /** It refuses the platform, and so the job whenever it is asked. */
  hasRefused: boolean;
}

const CANCELLED: JobFailure = { code: 'cancelled', message: 'Cancelled by its owner.' };

const MISSED_START: JobFailure = {
  code: 'start-deadline-missed',
  message: 'It had not started by its start deadline.',
};
const NOT_CANCELLED = { guard: 'held', cancelled: false } as const;

/** Jobs and their attempts. Every verb says its guard; null or false means that somebody else was faster. */
export class InferenceRepository {
  private readonly jobs: JobDao;
  private readonly lists: JobListDao;
  private readonly attempts: AttemptDao;
  private readonly partials: PartialRowsDao;
  private readonly usageDays: UsageDayDao;

  constructor(scope: DatabaseScope) {
    this.jobs = new JobDao(scope);
    this.lists = new JobListDao(scope);
    this.attempts = new AttemptDao(scope);
    this.partials = new PartialRowsDao(scope);
    this.usageDays = new UsageDayDao(scope);
  }

  async create({ model, ...job }: NewJob): Promise<Job> {
    const ofModel = {
      modelId: model.id,
      modelName: model.name,
      modelVersion: model.version,
      modelParameters: model.parameters,
    };
    return toJob(await this.jobs.insert({ id: randomUUID(), ...job, ...ofModel }));
  }

  /** @throws AppError not-found, for the jobs of others too */
  async getOwned(userId: string, id: string): Promise<Job> {
    const row = await this.jobs.findOwned(userId, id);
    if (row === null) throw notFound('job');
    return toJob(row);
  }

  /** Newest first. */
  async list(userId: string, { limit, cursor, ...filter }: JobFilter): Promise<Page<Job>> {
    const after = cursor === undefined ? null : toPlace(decodeCursor(cursor, [NUMBER_KEY, UUID_KEY]));
    const rows = await this.lists.page({ ...filter, userId, after, limit: limit + 1 });
    return cutPage(
      rows,
      limit,
      ({ place }) => [place.createdAt, place.id],
      ({ row }) => toJob(row),
    );
  }

  /** @returns null when it does not wait */
  async findWaiting(id: string): Promise<Job | null> {
    const row = await this.jobs.findById(id);
    return row?.status === 'PENDING' ? toJob(row) : null;
  }

  runnerFailures(id: string): Promise<RunnerFailure[]> {
    return this.attempts.failedRunners(id);
  }

  /** Takes a due PENDING job and opens its next attempt on a runner that has a place for it. */
  async claim(
    id: string,
    worker: string,
    leaseSeconds: number,
    runner: RunnerReference | null = null,
  ): Promise<Claim | null> {
    const token = randomUUID();
    const row = await this.jobs.claim(id, token, leaseSeconds);
    if (row === null) return null;
    const on = { runnerId: runner?.id ?? null, runnerName: runner?.name ?? null, runnerKind: runner?.kind ?? null };
    await this.attempts.insert({ jobId: id, number: row.attempt, claimToken: token, worker, ...on });
    return { job: toJob(row), token };
  }

  /** @returns null when the claim is lost; else whether its owner wants the job stopped */
  async renew(
    claim: Claim,
    leaseSeconds: number,
    progress: RunProgress | null,
  ): Promise<{ cancelRequested: boolean } | null> {
    const row = await this.jobs.renew(claim.job.id, claim.token, leaseSeconds, progress);
    return row === null ? null : { cancelRequested: row.cancelRequestedAt !== null };
  }

  /** What an attempt that goes on has consumed so far: with its end, whichever it is, that counts. */
  noteFootprint({ token }: Claim, footprint: Footprint): Promise<void> {
    return this.attempts.setFootprint(token, footprint);
  }

  /**
   * RUNNING → COMPLETED; not when the job is to be cancelled.
   * @param own what the attempt has consumed
   * @returns the job, and what all of its attempts have consumed
   */
  async completeIfClaimed(
    claim: Claim,
    frames: number,
    own: Footprint,
  ): Promise<{ job: Job; footprint: Footprint } | null> {
    const footprint = sumFootprints([...(await this.attempts.endedFootprints(claim.job.id)), own]);
    const fields = {
      carbonFootprint: footprint.carbonGrams,
      energyWh: footprint.energy.totalWh,
      progressProcessed: frames,
      progressTotal: frames,
      errorCode: null,
      errorMessage: null,
    };
    const row = await this.jobs.finish(claim.job.id, claim.token, 'COMPLETED', fields, NOT_CANCELLED);
    if (row === null) return null;
    await this.attempts.setFootprint(claim.token, own);
    await this.attempts.finish(claim.token, 'COMPLETED', null, null);
    await this.usageDays.add(row.userId, { jobs: 1, frames, credits: row.cost, footprint: own });
    await this.partials.deleteOf(claim.job.id);
    return { job: toJob(row), footprint };
  }

  /**
   * A waiting job is aborted; a running one is marked, and whoever runs it is woken to abort it.
   * @returns the job, ABORTED by this call or RUNNING
   * @throws AppError not-found, job-already-final
   */
  async requestCancel(userId: string, id: string): Promise<Job> {
    const held = await this.jobs.holdOwned(userId, id);
    if (held === null) throw notFound('job');
    if (isFinal(held.status)) throw new AppError('job-already-final', `The job is ${held.status}, and stays so.`);
    const isRunning = held.status === 'RUNNING';
    if (isRunning) await this.jobs.notifyCancel(id);
    const row = isRunning
      ? await this.jobs.requestCancel(id)
      : await this.jobs.cancelPending(id, toErrorFields(CANCELLED));
    if (row === null) throw new Error(`Job ${id} moved although its row was held`);
    return toJob(row);
  }

  /** RUNNING → FAILED or ABORTED for the reason of its attempt; not when the job is to be cancelled. */
  async endIfClaimed(status: 'FAILED' | 'ABORTED', ending: AttemptEnding): Promise<Job | null> {
    const { id, token, failure, guard } = ending;
    const row = await this.jobs.finish(id, token, status, toErrorFields(failure), { guard, cancelled: false });
    return row === null ? null : this.closeAttempt(row, ending);
  }

  /** RUNNING → ABORTED, when its owner has asked for that. The attempt keeps what it came to. */
  async abortIfCancelled(ending: AttemptEnding): Promise<Job | null> {
    const { id, token, guard, stop } = ending;
    const fields = { ...toErrorFields(CANCELLED), stoppedAt: stop?.by === 'server' ? stop.stoppedAt : null };
    const row = await this.jobs.finish(id, token, 'ABORTED', fields, { guard, cancelled: true });
    return row === null ? null : this.closeAttempt(row, ending);
  }

  /** Tells whether none of the jobs goes on. */
  haveEnded(ids: readonly string[]): Promise<boolean> {
    return this.jobs.haveEnded(ids);
  }

  /** In the order of `ids`. */
  statusesOf(userId: string, ids: readonly string[]): Promise<Pick<Job, 'id' | 'status'>[]> {
    return this.jobs.statusesOf(userId, ids);
  }

  /** Ids of some of the jobs that should have started by now. */
  unstarted(limit: number): Promise<string[]> {
    return this.jobs.unstarted(limit);
  }

  /** PENDING → ABORTED, when it should have started by now. */
  async abortUnstarted(id: string): Promise<Job | null> {
    const row = await this.jobs.abortUnstarted(id, toErrorFields(MISSED_START));
    return row === null ? null : toJob(row);
  }

  /** RUNNING → PENDING; not when the job is to be cancelled. */
  async requeueIfClaimed(ending: AttemptEnding, delayMs: number): Promise<Job | null> {
    const { id, token, failure, guard } = ending;
    const row = await this.jobs.requeue(id, token, { delayMs, ...toErrorFields(failure) }, guard);
    return row === null ? null : this.closeAttempt(row, ending);
  }

  private async closeAttempt(row: JobRow, { token, outcome, failure, stop }: AttemptEnding): Promise<Job> {
    const footprint = await this.attempts.finish(token, outcome, failure, stop ?? null);
    await this.usageDays.add(row.userId, { jobs: 0, frames: 0, credits: 0, footprint });
    await this.partials.deleteOf(row.id);
    return toJob(footprint === null ? row : await this.jobs.addFootprint(row.id, footprint));
  }

  spentAttempts(jobId: string): Promise<number> {
    return this.attempts.countSpent(jobId);
  }

  /**
   * Velocities of an attempt that goes on, for its owner to see; they go when it ends.
   * @param firstRow place of the first of them among the processed frames
   */
  addPartialRows(claim: Claim, firstRow: number, velocity: readonly number[][]): Promise<void> {
    return this.partials.addIfClaimed(claim.job.id, claim.token, firstRow, velocity);
  }

  /** @returns false when the claim is lost; else it is held until the end of this transaction, whose other end waits */
  holdClaim(claim: Claim): Promise<boolean> {
    return this.jobs.holdClaim(claim.job.id, claim.token);
  }

  /** @param after the last of the page before */
  expiredClaims(limit: number, after: ExpiredClaim | null): Promise<ExpiredClaim[]> {
    return this.jobs.expiredClaims(limit, after);
  }

  overdue(graceSeconds: number, limit: number): Promise<{ id: string; attempt: number; priority: number }[]> {
    return this.jobs.overdue(graceSeconds, limit);
  }
}

const toErrorFields = ({ code, message }: JobFailure) => ({ errorCode: code, errorMessage: message });

const toPlace = ([createdAt, id]: string[]): JobPlace => ({ createdAt, id });
