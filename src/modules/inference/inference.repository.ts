import { randomUUID } from 'node:crypto';
import { notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { RunParameters, RunProgress } from '../../runners/runner.port.js';
import { AttemptDao } from './attempt.dao.js';
import { JobDao, type ClaimGuard, type JobRow } from './inference.dao.js';
import type { AttemptOutcome, Claim, ExpiredClaim, Footprint, Job } from './inference.domain.js';

export interface NewJob {
  userId: string;
  datasetId: string;
  goalVideoId: string;
  currentVideoId: string;
  parameters: RunParameters;
  priority: number;
  cost: number;
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
}

/** Jobs and their attempts. Every verb says its guard; null or false means that somebody else was faster. */
export class InferenceRepository {
  private readonly jobs: JobDao;
  private readonly attempts: AttemptDao;

  constructor(scope: DatabaseScope) {
    this.jobs = new JobDao(scope);
    this.attempts = new AttemptDao(scope);
  }

  async create(job: NewJob): Promise<Job> {
    return toJob(await this.jobs.insert({ id: randomUUID(), ...job }));
  }

  /** @throws AppError not-found, for the jobs of others too */
  async getOwned(userId: string, id: string): Promise<Job> {
    const row = await this.jobs.findOwned(userId, id);
    if (row === null) throw notFound('job');
    return toJob(row);
  }

  /** Takes a due PENDING job and opens its next attempt. */
  async claim(id: string, worker: string, leaseSeconds: number): Promise<Claim | null> {
    const token = randomUUID();
    const row = await this.jobs.claim(id, token, leaseSeconds);
    if (row === null) return null;
    await this.attempts.insert({ jobId: id, number: row.attempt, claimToken: token, worker });
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

  async completeIfClaimed(claim: Claim, frames: number, footprint: Footprint): Promise<Job | null> {
    const fields = {
      carbonFootprint: footprint.carbonGrams,
      energyWh: footprint.energyWh,
      progressProcessed: frames,
      progressTotal: frames,
      errorCode: null,
      errorMessage: null,
    };
    const row = await this.jobs.finish(claim.job.id, claim.token, 'COMPLETED', fields);
    if (row === null) return null;
    await this.attempts.finish(claim.token, 'COMPLETED', null);
    return toJob(row);
  }

  async endIfClaimed(status: 'FAILED' | 'ABORTED', ending: AttemptEnding): Promise<Job | null> {
    const { id, token, failure, guard } = ending;
    const fields = { errorCode: failure.code, errorMessage: failure.message };
    const row = await this.jobs.finish(id, token, status, fields, guard);
    if (row === null) return null;
    await this.attempts.finish(token, ending.outcome, failure);
    return toJob(row);
  }

  async requeueIfClaimed(ending: AttemptEnding, delayMs: number): Promise<Job | null> {
    const { id, token, failure, guard } = ending;
    const fields = { delayMs, errorCode: failure.code, errorMessage: failure.message };
    const row = await this.jobs.requeue(id, token, fields, guard);
    if (row === null) return null;
    await this.attempts.finish(token, ending.outcome, failure);
    return toJob(row);
  }

  spentAttempts(jobId: string): Promise<number> {
    return this.attempts.countSpent(jobId);
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

function toJob(row: JobRow): Job {
  const { progressProcessed: processed, progressTotal: total } = row;
  return {
    id: row.id,
    userId: row.userId,
    datasetId: row.datasetId,
    goalVideoId: row.goalVideoId,
    currentVideoId: row.currentVideoId,
    status: row.status,
    parameters: row.parameters,
    priority: row.priority,
    cost: row.cost,
    attempt: row.attempt,
    progress: processed === null || total === null ? null : { processed, total },
    errorCode: row.errorCode,
    errorMessage: row.errorMessage,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
  };
}
