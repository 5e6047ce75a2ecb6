import {
  RunnerBusyError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerProtocolError,
  RunnerRefusedError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type ProtocolBreach,
  type RunnerError,
} from '../../src/runners/runner.errors.js';
import type { KserveFault } from '../support/model-servers/kserve-faults.js';
import type { ServerFault } from '../support/model-servers/server-faults.js';

type ErrorClass = (new (message: string) => RunnerError) | typeof RunnerProtocolError;

/** What a model server may do wrong, what it is called by every kind, and how the scripted server of a kind does it. */
export interface FaultRow {
  /** As a sentence about the server. */
  server: string;
  error: ErrorClass;
  /** Of a RunnerProtocolError. */
  reason?: ProtocolBreach;
  /** It asks for a pause of so many seconds. */
  hasPause?: boolean;
  /** Left out for a kind whose protocol leaves no room for it. */
  fastapi?: ServerFault;
  rest?: KserveFault;
  grpc?: KserveFault;
}

/** From the connection to the archive, in the order in which a job meets them. */
export const FAULTS: readonly FaultRow[] = [
  {
    server: 'has no free slot, and says for how long',
    error: RunnerBusyError,
    hasPause: true,
    fastapi: 'no-slot',
    rest: 'full',
    grpc: 'full',
  },
  {
    server: 'has no free slot, and does not say for how long',
    error: RunnerBusyError,
    fastapi: 'no-slot-silent',
    rest: 'full-silent',
    grpc: 'full-silent',
  },
  {
    server: 'has had too many requests, and names a date',
    error: RunnerBusyError,
    hasPause: true,
    fastapi: 'too-many-requests',
  },
  { server: 'is not ready yet', error: RunnerBusyError, hasPause: true, fastapi: 'not-ready' },
  {
    server: 'refuses the token',
    error: RunnerRefusedError,
    fastapi: 'refuses-token',
    rest: 'refuses-token',
    grpc: 'refuses-token',
  },
  {
    server: 'knows no such route or model',
    error: RunnerRefusedError,
    fastapi: 'no-such-route',
    rest: 'no-such-model',
    grpc: 'no-such-model',
  },
  { server: 'takes no request of that size', error: RunnerRefusedError, fastapi: 'too-large-input' },
  { server: 'takes no more of the input', error: RunnerTimeoutError, fastapi: 'reads-nothing' },
  { server: 'dies while it gets the input', error: RunnerCrashedError, fastapi: 'dies-mid-upload' },
  {
    server: 'says that the input is unusable',
    error: RunnerInputError,
    fastapi: 'unusable-input',
    rest: 'unusable-input',
    grpc: 'unusable-input',
  },
  {
    server: 'fails inside',
    error: RunnerProtocolError,
    reason: 'unexpected-status',
    fastapi: 'internal-error',
    rest: 'internal-error',
    grpc: 'internal-error',
  },
  {
    server: 'dies before it answers',
    error: RunnerCrashedError,
    fastapi: 'dies-before-headers',
    rest: 'dies',
    grpc: 'dies',
  },
  {
    server: 'never answers',
    error: RunnerTimeoutError,
    fastapi: 'never-answers',
    rest: 'never-answers',
    grpc: 'never-answers',
  },
  { server: 'stands still in the middle of the work', error: RunnerTimeoutError, fastapi: 'stands-still' },
  {
    server: 'sends the job elsewhere',
    error: RunnerProtocolError,
    reason: 'redirected',
    fastapi: 'redirect-elsewhere',
    rest: 'redirect-elsewhere',
  },
  {
    server: 'sends the job round in circles',
    error: RunnerProtocolError,
    reason: 'redirected',
    fastapi: 'redirect-loop',
  },
  {
    server: 'answers with a page',
    error: RunnerProtocolError,
    reason: 'wrong-content-type',
    fastapi: 'html',
    rest: 'html',
  },
  {
    server: 'answers with what is no JSON',
    error: RunnerProtocolError,
    reason: 'not-json',
    fastapi: 'not-json',
  },
  {
    server: 'answers with JSON of another shape',
    error: RunnerProtocolError,
    reason: 'wrong-shape',
    fastapi: 'wrong-shape',
    rest: 'texts-for-numbers',
    grpc: 'texts-for-numbers',
  },
  {
    server: 'leaves out the velocities',
    error: RunnerProtocolError,
    reason: 'wrong-shape',
    fastapi: 'half-answer',
    rest: 'no-velocity',
    grpc: 'no-velocity',
  },
  {
    server: 'sends rows of five numbers',
    error: RunnerProtocolError,
    reason: 'wrong-shape',
    fastapi: 'five-numbers',
    rest: 'five-numbers',
    grpc: 'five-numbers',
  },
  {
    server: 'sends a row too few',
    error: RunnerProtocolError,
    reason: 'wrong-row-count',
    fastapi: 'too-few-rows',
    rest: 'too-few-rows',
    grpc: 'too-few-rows',
  },
  {
    server: 'sends a number that is none',
    error: RunnerProtocolError,
    reason: 'non-finite',
    fastapi: 'nan',
    rest: 'nan',
    grpc: 'nan',
  },
  {
    server: 'sends a huge answer',
    error: RunnerProtocolError,
    reason: 'too-large',
    fastapi: 'huge-json',
    rest: 'huge-answer',
    grpc: 'huge-answer',
  },
  { server: 'sends its answer byte by byte', error: RunnerTimeoutError, fastapi: 'trickle', rest: 'trickle' },
  { server: 'falls silent in the middle of its answer', error: RunnerTimeoutError, fastapi: 'falls-silent' },
  {
    server: 'dies in the middle of its answer',
    error: RunnerProtocolError,
    reason: 'cut-off',
    fastapi: 'dies-mid-json',
    rest: 'half-answer',
  },
  {
    server: 'keeps the archive elsewhere',
    error: RunnerProtocolError,
    reason: 'redirected',
    fastapi: 'download-elsewhere',
  },
  {
    server: 'has no archive after all',
    error: RunnerProtocolError,
    reason: 'unexpected-status',
    fastapi: 'download-missing',
  },
  {
    server: 'sends a page for an archive',
    error: RunnerProtocolError,
    reason: 'wrong-content-type',
    fastapi: 'html-archive',
  },
  { server: 'sends an archive that is no ZIP', error: RunnerProtocolError, reason: 'not-a-zip', fastapi: 'not-a-zip' },
  { server: 'sends a ZIP without its end', error: RunnerProtocolError, reason: 'not-a-zip', fastapi: 'truncated-zip' },
  { server: 'announces a huge archive', error: RunnerProtocolError, reason: 'too-large', fastapi: 'huge-zip' },
  { server: 'sends an archive without end', error: RunnerProtocolError, reason: 'too-large', fastapi: 'endless-zip' },
  { server: 'sends the archive byte by byte', error: RunnerTimeoutError, fastapi: 'trickling-zip' },
  {
    server: 'dies in the middle of the archive',
    error: RunnerProtocolError,
    reason: 'cut-off',
    fastapi: 'dies-mid-zip',
  },
];

/** Nobody listens: a fault of no server, and of every kind. */
export const NOBODY_LISTENS: ErrorClass = RunnerUnavailableError;

/** The error of a row, as a runner throws it. */
export function exampleOf({ error, reason = 'unexpected-status' }: FaultRow): RunnerError {
  return isProtocolError(error) ? new error(reason, 'As an example.') : new error('As an example.');
}

function isProtocolError(error: ErrorClass): error is typeof RunnerProtocolError {
  return error === RunnerProtocolError;
}
