/** Whose doing a failed attempt is; decides who pays for it. */
export type Fault = 'user' | 'platform' | 'nobody';

/** Every way a run can end without a result. `retryable` and `fault` are decided where the error is born. */
export abstract class RunnerError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;
  abstract readonly fault: Fault;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The runner cannot be reached, or has no process to run on; another try later may find it. */
export class RunnerUnavailableError extends RunnerError {
  readonly code = 'runner-unavailable';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** The runner's process died under the job. */
export class RunnerCrashedError extends RunnerError {
  readonly code = 'runner-crashed';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** The runner stopped reporting, or needed longer than it may. */
export class RunnerTimeoutError extends RunnerError {
  readonly code = 'runner-timeout';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** The disk or a file of the platform failed the runner (disk full, file vanished). */
export class RunnerStorageError extends RunnerError {
  readonly code = 'runner-storage';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** What was kept of the attempts before cannot be used to go on from: the job has to begin anew. */
export class RunnerCheckpointError extends RunnerError {
  readonly code = 'runner-checkpoint';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** The input itself cannot be worked on (goal frame without keypoints, unreadable goal frame): no retry changes that. */
export class RunnerInputError extends RunnerError {
  readonly code = 'runner-input';
  readonly retryable = false;
  readonly fault = 'user';
}

/** The signal fired; what the run had begun is undone. */
export class RunnerCancelledError extends RunnerError {
  readonly code = 'runner-cancelled';
  readonly retryable = false;
  readonly fault = 'nobody';
}
