import {
  RunnerBusyError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerProtocolError,
  RunnerRefusedError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type RunnerError,
} from '../runner.errors.js';

/** What the protocol's error codes mean, the same for both transports. */
export const FAILURES = [
  /** It cannot work on what it was sent. */
  'unusable',
  /** Credentials, address, model: something is set up wrongly. */
  'refused',
  /** No room for another request now. */
  'busy',
  /** More bytes than it takes. */
  'too-large',
  /** It gave up waiting. */
  'timeout',
  /** The model, or the server under it, failed and says so. */
  'failed',
  /** The connection broke under the request. */
  'broken',
  /** It cannot be reached. */
  'unreachable',
  /** Something that the protocol has no place for. */
  'unexpected',
] as const;
export type Failure = (typeof FAILURES)[number];

/** By this a model says that the input itself is at fault: neither another try nor another server helps. */
const INPUT_FAULT = /\bunusable-input\b:?\s*/i;
const LONGEST_WORDS = 500;

export interface FailureReport {
  failure: Failure;
  /** Who failed, as a sentence begins. */
  peer: string;
  /** What the server says about it: for the log, since users need not know addresses and stack traces. */
  words: string;
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/** The request is larger than the server takes: a smaller one may be sent to the same server. */
export class RequestTooLargeError extends RunnerRefusedError {}

export function failureError({ failure, peer, words, retryAfterSeconds, cause }: FailureReport): RunnerError {
  const text = printable(words);
  if (INPUT_FAULT.test(text) && (failure === 'unusable' || failure === 'failed')) {
    return new RunnerInputError(`The model cannot work on this input: ${text.replace(INPUT_FAULT, '')}`, { cause });
  }
  const options = { cause: new Error(text, { cause }), retryAfterSeconds };
  switch (failure) {
    case 'unusable':
      return new RunnerRefusedError(`${peer} does not take what its model is sent.`, options);
    case 'refused':
      return new RunnerRefusedError(`${peer} refuses the job.`, options);
    case 'busy':
      return new RunnerBusyError(`${peer} has no room for another request.`, options);
    case 'too-large':
      return new RequestTooLargeError(`${peer} takes no request as large as one with a single frame.`, options);
    case 'timeout':
      return new RunnerTimeoutError(`${peer} took too long to answer.`, options);
    case 'failed':
      return new RunnerProtocolError('unexpected-status', `${peer} failed on a request.`, options);
    case 'broken':
      return new RunnerCrashedError(`${peer} broke the connection under a request.`, options);
    case 'unreachable':
      return new RunnerUnavailableError(`${peer} cannot be reached${systemCode(text)}.`, options);
    case 'unexpected':
      return new RunnerProtocolError(
        'unexpected-status',
        `${peer} answers in a way that its contract does not know.`,
        options,
      );
  }
}

function printable(text: string): string {
  const line = text.replace(/\p{C}+/gu, ' ').trim();
  return line.length > LONGEST_WORDS ? `${line.slice(0, LONGEST_WORDS)}…` : line;
}

/** Why, in the word that systems have for it. */
function systemCode(text: string): string {
  const code = /\bE[A-Z]{4,}\b/.exec(text)?.[0];
  return code === undefined ? '' : ` (${code})`;
}

/** @param status of an answer that is no success */
export function failureOfHttpStatus(status: number): Failure {
  const known = HTTP_FAILURES[status];
  if (known !== undefined) return known;
  return status >= 500 && status < 600 ? 'failed' : 'unexpected';
}

const HTTP_FAILURES: Readonly<Record<number, Failure | undefined>> = {
  400: 'unusable',
  401: 'refused',
  403: 'refused',
  404: 'refused',
  405: 'refused',
  408: 'timeout',
  409: 'busy',
  413: 'too-large',
  415: 'refused',
  422: 'unusable',
  429: 'busy',
  501: 'refused',
  502: 'unreachable',
  503: 'busy',
  504: 'unreachable',
};
