import {
  RunnerCancelledError,
  RunnerCheckpointError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerStorageError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type RunnerError,
} from '../runner.errors.js';

/** Codes under which a runner error crosses a process boundary; the class is restored on the other side. */
export const RUNNER_ERROR_CODES = [
  'runner-unavailable',
  'runner-crashed',
  'runner-timeout',
  'runner-storage',
  'runner-checkpoint',
  'runner-input',
  'runner-cancelled',
] as const;
export type RunnerErrorCode = (typeof RUNNER_ERROR_CODES)[number];

const ERROR_CLASSES: Record<RunnerErrorCode, new (message: string) => RunnerError> = {
  'runner-unavailable': RunnerUnavailableError,
  'runner-crashed': RunnerCrashedError,
  'runner-timeout': RunnerTimeoutError,
  'runner-storage': RunnerStorageError,
  'runner-checkpoint': RunnerCheckpointError,
  'runner-input': RunnerInputError,
  'runner-cancelled': RunnerCancelledError,
};

export function toRunnerError(code: RunnerErrorCode, message: string): RunnerError {
  return new ERROR_CLASSES[code](message);
}

/** The code of a runner error; null for a class this codec does not know. */
export function runnerErrorCode(error: RunnerError): RunnerErrorCode | null {
  return RUNNER_ERROR_CODES.find((code) => code === error.code) ?? null;
}
