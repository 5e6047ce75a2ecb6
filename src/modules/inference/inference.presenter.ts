import {
  parametersSchema,
  resultSchema,
  type InferenceResult,
  type StoredInferenceResult,
} from '../../contract/inference.contract.js';
import { frameErrors } from '../../runners/frame-errors.js';
import { axisAngle } from '../../runners/trajectory.js';
import type { Job } from './inference.domain.js';
import type { JobView, Trajectory, VelocityRows, Wait } from './job-view.domain.js';

export const isoTime = (time: Date | null): string | null => time?.toISOString() ?? null;

function presentMembers(job: Job) {
  return {
    id: job.id,
    model: { name: job.model.name, version: job.model.version },
    status: job.status,
    progress: job.progress,
    attempt: job.attempt,
    priority: job.priority,
    cost: job.cost,
    error: job.errorCode === null ? null : { code: job.errorCode, message: job.errorMessage ?? '' },
    retry_of: job.retryOf,
    start_deadline: isoTime(job.startDeadline),
    timeout: job.timeoutSeconds,
    cancel_requested_at: isoTime(job.cancelRequestedAt),
    stopped_at: isoTime(job.stoppedAt),
    created_at: job.createdAt.toISOString(),
    started_at: isoTime(job.startedAt),
    finished_at: isoTime(job.finishedAt),
  };
}

export function presentListedJob(job: Job) {
  const videos = { goal_video_id: job.goalVideoId, current_video_id: job.currentVideoId };
  return { ...presentMembers(job), dataset_id: job.datasetId, ...videos };
}

export function presentJob(view: JobView) {
  const { job, wait } = view;
  return {
    ...presentMembers(job),
    dataset: view.dataset,
    goal_video: view.goalVideo,
    current_video: view.currentVideo,
    parameters: { ...inOrder(parametersSchema.shape, job.parameters), ...job.model.parameters },
    settlement: view.settlement,
    attempts: view.attempts.map(({ startedAt, finishedAt, resumedRows, footprint, stop, ...attempt }) => ({
      ...attempt,
      resumed_rows: resumedRows,
      energy_wh: footprint?.energy.totalWh ?? null,
      carbon_footprint: footprint?.carbonGrams ?? null,
      started_at: startedAt.toISOString(),
      finished_at: isoTime(finishedAt),
      stop: stop === null ? null : { by: stop.by, stopped_at: stop.stoppedAt.toISOString() },
    })),
    retried_by: view.retriedBy,
    wait: wait === null ? null : presentWait(wait),
    result: view.result === null ? null : { expires_at: isoTime(view.result.expiresAt), gone: view.result.gone },
    carbon_footprint: job.carbonGrams,
    energy_wh: job.energyWh,
  };
}

function presentWait(wait: Wait) {
  return wait.reason === 'between-attempts'
    ? { reason: wait.reason, ahead: null, until: wait.until.toISOString() }
    : { reason: wait.reason, ahead: wait.ahead, until: null };
}

export function presentJobStatus(job: Job) {
  return {
    status: job.status,
    progress: job.progress,
    attempt: job.attempt,
    errorMessage: job.errorMessage,
    cancel_requested_at: isoTime(job.cancelRequestedAt),
    stopped_at: isoTime(job.stoppedAt),
    created_at: job.createdAt.toISOString(),
    started_at: isoTime(job.startedAt),
    finished_at: isoTime(job.finishedAt),
  };
}

export const presentSubmission = (jobs: Job[]) => ({
  body: { jobId: jobs.map((job) => job.id) },
  headers: { Location: `/api/inference/status/${jobs[0].id}` },
});

export function presentVelocity(
  { status, attempt, parameters }: Job,
  { complete, resumedRows, total, velocity, end, from }: Omit<VelocityRows, 'job'> & { from: number },
) {
  const { startFrame, frameStep } = parameters;
  const next = from + velocity.length;
  return {
    status,
    attempt,
    resumedRows,
    complete,
    total,
    rows: velocity.map((row, index) => ({ frame: startFrame + (from + index) * frameStep, velocity: row })),
    nextRow: end !== null && next >= end ? null : next,
  };
}

export function presentTrajectory(
  { path, frameRate, frameRateFrom }: Trajectory,
  { from, limit }: { from: number; limit: number },
) {
  const next = from + limit;
  return {
    frameRate,
    frameRateFrom,
    total: path.length,
    points: path.slice(from, next).map(({ rotation, position, ...point }) => ({
      ...point,
      position: [...position],
      rotation: [...axisAngle(rotation)],
    })),
    nextRow: next < path.length ? next : null,
  };
}

export function presentCancellation(job: Job) {
  return {
    id: job.id,
    status: job.status,
    cancel_requested_at: isoTime(job.cancelRequestedAt),
    stopped_at: isoTime(job.stoppedAt),
  };
}

export function presentResult(result: StoredInferenceResult): InferenceResult {
  return inOrder(resultSchema.shape, { ...result, frame_errors: frameErrors(result.frames) });
}

/** In the order of the contract; PostgreSQL's jsonb keeps an order of its own. */
function inOrder<T extends object>(contract: Readonly<Record<keyof T, unknown>>, value: T): T {
  const keys = Object.keys(contract) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, value[key]])) as T;
}
