import type { PathPoint } from '../../runners/trajectory.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { StopEvidence } from '../../runners/runner.errors.js';
import type { Obstacle } from '../runner/runner-choice.domain.js';
import type { Removal } from '../result/result.domain.js';
import type { AttemptOutcome, Job } from './inference.domain.js';

/** Most rows in one piece of velocities; readers look back so far for a piece that holds the row they want. */
export const ROWS_PER_PIECE = 1_000;

export interface AttemptView {
  number: number;
  outcome: AttemptOutcome | null;
  error: { code: string; message: string } | null;
  startedAt: Date;
  finishedAt: Date | null;
  /** Rows taken over from the attempts before. */
  resumedRows: number;
  /** Null when nobody knows. */
  footprint: Footprint | null;
  /** What it ran on; null for attempts from before runners were rows. */
  runner: { name: string; kind: string } | null;
  /** How its stop is known; null where nobody told it to stop, or nothing had been begun. */
  stop: StopEvidence | null;
}

/** What became of the credits of a job. */
export type Settlement = 'free' | 'held' | 'captured' | 'released' | 'refunded';

/** Why a job is still PENDING. */
export type Wait = { reason: 'queued' | Obstacle; ahead: number } | { reason: 'between-attempts'; until: Date };

/** A job with all that is known around it, as of one moment. */
export interface JobView {
  job: Job;
  dataset: { id: string; name: string; deleted: boolean };
  goalVideo: { id: string; name: string };
  currentVideo: { id: string; name: string };
  attempts: AttemptView[];
  retriedBy: string[];
  settlement: Settlement;
  wait: Wait | null;
  /** Null as long as there was none. */
  result: { expiresAt: Date | null; gone: Removal | null } | null;
}

/** The path of a camera that follows the velocities of a job. */
export interface Trajectory {
  /** One point per row of the result. */
  path: PathPoint[];
  /** Frames per second that were taken. */
  frameRate: number;
  frameRateFrom: 'request' | 'video' | 'assumption';
}

/** Velocities of a job from some row on: of its result, of the attempt that goes on, or of what a job without result left. */
export interface VelocityRows {
  job: Job;
  complete: boolean;
  /** Rows that the last attempt took over from those before; it made the others. */
  resumedRows: number;
  total: number;
  velocity: number[][];
  /** Behind the last row that there will be; null while the job goes on. */
  end: number | null;
}
