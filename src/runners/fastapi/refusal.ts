import type { HttpAnswer } from '../http-kit/http-answer.js';
import {
  RunnerBusyError,
  RunnerInputError,
  RunnerProtocolError,
  RunnerRefusedError,
  RunnerUnavailableError,
  type RunnerError,
} from '../runner.errors.js';
import { refusalSchema } from './wire.js';

const LONGEST_DETAIL = 500;
/** The server is there, and will not do this for us: our token, our address or our way of asking is wrong. */
const REFUSED = [401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 431];
const BUSY = [409, 429, 503];
/** Of something in front of the server, which it cannot reach. */
const UNREACHED = [502, 504];
/** Nginx's "client closed request", which the contract uses for a job that was stopped. */
const STOPPED = 499;

/** What an answer that is no success means for a job. */
export async function refusalOf(answer: HttpAnswer, peer: string): Promise<RunnerError> {
  const { status, retryAfterSeconds } = answer;
  const excerpt = await answer.excerpt();
  const { code, detail } = parseRefusal(excerpt);
  // In full for the log of the operator; users read only what a server says about their input.
  const cause = new Error(`HTTP ${status}: ${printable(excerpt)}`);
  if (BUSY.includes(status)) {
    const words = status === 503 ? 'is not ready to take a job' : 'has no free slot';
    return new RunnerBusyError(`${peer} ${words}.`, { retryAfterSeconds, cause });
  }
  if (REFUSED.includes(status)) {
    return new RunnerRefusedError(`${peer} refuses the job (HTTP ${status}).`, { retryAfterSeconds, cause });
  }
  if (status === 400 || status === 422) {
    // A list is FastAPI's own complaint about the form: the server expects another contract than we speak.
    if (code === undefined && Array.isArray(detail)) {
      return new RunnerRefusedError(`${peer} expects another form than that of the contract.`, { cause });
    }
    const words = typeof detail === 'string' && detail.trim() !== '' ? printable(detail) : 'It does not say why.';
    return new RunnerInputError(`The model server cannot work on this input: ${words}`, { cause });
  }
  if (UNREACHED.includes(status)) {
    return new RunnerUnavailableError(`${peer} is not reached by the proxy in front of it (HTTP ${status}).`, {
      retryAfterSeconds,
      cause,
    });
  }
  if (status === STOPPED) {
    return new RunnerUnavailableError(`${peer} stopped the job of its own accord.`, { retryAfterSeconds, cause });
  }
  const message = `${peer} answers HTTP ${status} where its contract knows no such answer.`;
  return new RunnerProtocolError('unexpected-status', message, { retryAfterSeconds, cause });
}

function parseRefusal(text: string): { code?: string | undefined; detail?: string | unknown[] | undefined } {
  try {
    return refusalSchema.parse(JSON.parse(text));
  } catch {
    return {}; // The status says what counts, in whatever words.
  }
}

function printable(text: string): string {
  const line = text.replace(/\p{C}+/gu, ' ').trim();
  return line.length > LONGEST_DETAIL ? `${line.slice(0, LONGEST_DETAIL)}…` : line;
}
