import { resultSchema, type InferenceResult } from '../../contract/inference.contract.js';
import type { Job } from './inference.domain.js';

export function presentJobStatus(job: Job) {
  return {
    status: job.status,
    progress: job.progress,
    attempt: job.attempt,
    errorMessage: job.errorMessage,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  };
}

export function presentCancellation(job: Job) {
  return {
    id: job.id,
    status: job.status,
    cancel_requested_at: job.cancelRequestedAt?.toISOString() ?? null,
    stopped_at: job.stoppedAt?.toISOString() ?? null,
  };
}

const RESULT_KEYS = Object.keys(resultSchema.shape) as (keyof InferenceResult)[];

/** In the order of the contract; PostgreSQL's jsonb keeps an order of its own. */
export function presentResult(result: InferenceResult): InferenceResult {
  return Object.fromEntries(RESULT_KEYS.map((key) => [key, result[key]])) as InferenceResult;
}
