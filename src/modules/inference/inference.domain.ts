import { JOB_STATUSES, type JobStatus } from '../../contract/inference.contract.js';
import type { PageRequest } from '../../platform/page.js';
import type { Intrinsics, RunParameters, RunProgress } from '../../runners/runner.port.js';
import type { ModelOfJob, ModelReference } from '../model/model.domain.js';
import type { Video } from '../video/video.domain.js';

export interface Job {
  id: string;
  userId: string;
  datasetId: string;
  goalVideoId: string;
  currentVideoId: string;
  status: JobStatus;
  parameters: RunParameters;
  model: ModelOfJob;
  priority: number;
  cost: number;
  attempt: number;
  progress: RunProgress | null;
  errorCode: string | null;
  errorMessage: string | null;
  cancelRequestedAt: Date | null;
  /** When the runner of its last attempt had really stopped. */
  stoppedAt: Date | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** The job that this one repeats. */
  retryOf: string | null;
  /** Not started by then, it is aborted. */
  startDeadline: Date | null;
  /** Longest time that its owner gives an attempt. */
  timeoutSeconds: number | null;
  /** Grams CO2e, and watt-hours, of the attempts that have ended; null as long as nothing is known. */
  carbonGrams: number | null;
  energyWh: number | null;
}

/** Which jobs a list is to have; all conditions hold together. */
export interface JobFilter extends PageRequest {
  statuses: readonly JobStatus[];
  datasetId: string | null;
  /** A name without a version stands for all its versions. */
  model: ModelReference | null;
  /** Of the dataset. */
  tag: string | null;
  /** Inclusive. */
  createdFrom: Date | null;
  /** Exclusive. */
  createdTo: Date | null;
}

/** A job in the hands of one worker. Only who holds the token may write to it. */
export interface Claim {
  job: Job;
  token: string;
}

/** A claim whose holder did not renew it in time. */
export interface ExpiredClaim {
  id: string;
  claimToken: string;
  /** As the database writes it, to the microsecond. */
  expiredAt: string;
}

export const ATTEMPT_OUTCOMES = ['COMPLETED', 'FAILED', 'LOST', 'RELEASED', 'ABORTED'] as const;
/** LOST: the worker fell silent. RELEASED: the worker gave the job back, e.g. to shut down. */
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

const TRANSITIONS: Record<JobStatus, readonly JobStatus[]> = {
  PENDING: ['RUNNING', 'ABORTED', 'FAILED'],
  RUNNING: ['PENDING', 'COMPLETED', 'FAILED', 'ABORTED'],
  COMPLETED: [],
  FAILED: [],
  ABORTED: [],
};

export function canTransition(from: JobStatus, to: JobStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

export function isFinal(status: JobStatus): boolean {
  return TRANSITIONS[status].length === 0;
}

export const FINAL_STATUSES: readonly JobStatus[] = JOB_STATUSES.filter(isFinal);

/** The camera of the published CNS pipeline: 640 × 480. */
export const DEFAULT_INTRINSICS: Intrinsics = { fx: 540, fy: 540, cx: 320, cy: 240 };
export const DEFAULT_DISTANCE = 1;

export interface Pair {
  goal: Video;
  current: Video;
}

/** One video is compared with itself; n videos give n − 1 pairs of neighbours, goal first. */
export function pairVideos(videos: readonly Video[]): Pair[] {
  if (videos.length === 1) return [{ goal: videos[0], current: videos[0] }];
  return videos.slice(1).map((current, index) => ({ goal: videos[index], current }));
}

/** Frames start, start + step, … ≤ end. */
export function processedFrames({ startFrame, endFrame, frameStep }: RunParameters): number {
  return Math.floor((endFrame - startFrame) / frameStep) + 1;
}

/**
 * Wait before attempt number `next`: doubles from `baseSeconds`, at most five minutes, plus up to 50 % jitter so that
 * jobs which failed together do not come back together.
 */
export function backoffMs(next: number, baseSeconds: number, random: () => number): number {
  const exponential = Math.min(baseSeconds * 2 ** (next - 2), 300);
  return Math.round(exponential * 1000 * (1 + random() / 2));
}
