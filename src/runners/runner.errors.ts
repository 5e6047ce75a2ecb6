/** Whose doing a failed attempt is; decides who pays for it. */
export type Fault = 'user' | 'platform' | 'nobody';

export interface RunnerErrorOptions {
  cause?: unknown;
  retryAfterSeconds?: number | undefined;
}

/** Every way a run can end without a result. `retryable` and `fault` are decided where the error is born. */
export abstract class RunnerError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;
  abstract readonly fault: Fault;

  /** How long the runner asks to be left alone; undefined when it does not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, options: RunnerErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The runner cannot be reached, or has no process to run on; another try later may find it. */
export class RunnerUnavailableError extends RunnerError {
  readonly code = 'runner-unavailable';
  readonly retryable = true;
  readonly fault = 'platform';
}

/** The runner has no free slot, or asks for a pause. Nothing was begun, so the attempt is none. */
export class RunnerBusyError extends RunnerError {
  readonly code = 'runner-busy';
  readonly retryable = true;
  readonly fault = 'nobody';
}

/** The runner refuses us (credentials, address): the installation is set up wrongly. Another runner may do it. */
export class RunnerRefusedError extends RunnerError {
  readonly code = 'runner-refused';
  readonly retryable = true;
  readonly fault = 'platform';
}

export const PROTOCOL_BREACHES = [
  'not-json',
  'wrong-shape',
  'non-finite',
  'wrong-row-count',
  'not-a-zip',
  'too-large',
  'wrong-content-type',
  'cut-off',
  'redirected',
  'unexpected-status',
] as const;
export type ProtocolBreach = (typeof PROTOCOL_BREACHES)[number];

/** The runner answered something that its contract does not allow. */
export class RunnerProtocolError extends RunnerError {
  readonly code = 'runner-protocol';
  readonly retryable = true;
  readonly fault = 'platform';

  constructor(
    readonly reason: ProtocolBreach,
    message: string,
    options?: RunnerErrorOptions,
  ) {
    super(message, options);
  }
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

export const STOP_WITNESSES = ['engine', 'server', 'connection'] as const;

/**
 * How it is known that the work has stopped. `engine`: our own process has. `server`: the model server said so.
 * `connection`: we only closed the connection, and the server said nothing.
 */
export interface StopEvidence {
  by: (typeof STOP_WITNESSES)[number];
  stoppedAt: Date;
}

/** The signal fired; what the run had begun is undone. */
export class RunnerCancelledError extends RunnerError {
  readonly code = 'runner-cancelled';
  readonly retryable = false;
  readonly fault = 'nobody';
  /** Null when nothing had been begun. */
  readonly stop: StopEvidence | null;

  constructor(message: string, options: RunnerErrorOptions & { stop?: StopEvidence | null } = {}) {
    super(message, options);
    this.stop = options.stop ?? null;
  }
}
