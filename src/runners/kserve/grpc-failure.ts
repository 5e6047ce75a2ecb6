import { status as Code, type Metadata, type ServiceError } from '@grpc/grpc-js';

import { parseRetryAfter } from '../http-kit/retry-after.js';
import { RunnerProtocolError, type RunnerError } from '../runner.errors.js';
import { failureError, type Failure } from './failures.js';

/** What the call was, as far as its failure means something else for that. */
export interface FailedCall {
  /** Who was talked to, as a sentence begins. */
  peer: string;
  /** A job hangs on it: a connection that breaks is a crash of the server. */
  carriesJob: boolean;
  /** Largest answer that was allowed for. */
  answerBytes: number;
}

/** What the status of a call means. */
export function grpcError(error: ServiceError, call: FailedCall): RunnerError {
  const { peer } = call;
  // In the library's own words, for its status does not tell it from a server that refuses the request.
  if (error.code === Code.RESOURCE_EXHAUSTED && error.details.includes(`vs ${call.answerBytes})`)) {
    return new RunnerProtocolError('too-large', `${peer} answers with more than ${call.answerBytes} bytes.`, {
      cause: error,
    });
  }
  return failureError({
    failure: failureOf(error, call),
    peer,
    words: error.details,
    retryAfterSeconds: retryAfterSeconds(error.metadata),
    cause: error,
  });
}

const TOO_LARGE = /larger than max|too large|exceeds? .*(size|limit)/i;
const NO_CONNECTION = /^No connection established|^Name resolution failed|^Received HTTP status code 50[24]/;
const BROKEN_CONNECTION = /^Connection dropped|ECONNRESET|EPIPE|ETIMEDOUT|^Failed to start HTTP\/2 stream|Goaway/i;

function failureOf({ code, details }: ServiceError, { carriesJob }: FailedCall): Failure {
  switch (code) {
    case Code.INVALID_ARGUMENT:
    case Code.FAILED_PRECONDITION:
    case Code.OUT_OF_RANGE:
      return 'unusable';
    case Code.NOT_FOUND:
    case Code.UNIMPLEMENTED:
    case Code.PERMISSION_DENIED:
    case Code.UNAUTHENTICATED:
    case Code.ALREADY_EXISTS:
      return 'refused';
    case Code.RESOURCE_EXHAUSTED:
      return TOO_LARGE.test(details) ? 'too-large' : 'busy';
    case Code.UNAVAILABLE:
      if (NO_CONNECTION.test(details)) return 'unreachable';
      if (BROKEN_CONNECTION.test(details)) return carriesJob ? 'broken' : 'unreachable';
      return 'busy';
    case Code.DEADLINE_EXCEEDED:
      return 'timeout';
    case Code.CANCELLED:
    case Code.ABORTED:
    case Code.DATA_LOSS:
    case Code.INTERNAL:
    case Code.UNKNOWN:
      return 'failed';
    case Code.OK:
      return 'unexpected';
  }
}

/** Servers say it in the way of HTTP, or in the way of gRPC (proposal A6, `grpc-retry-pushback-ms`). */
function retryAfterSeconds(metadata: Metadata): number | undefined {
  const text = (name: string) => metadata.get(name).map(String).at(0) ?? null;
  const pushback = text('grpc-retry-pushback-ms');
  if (pushback !== null && /^\d{1,9}$/.test(pushback))
    return parseRetryAfter(String(Math.ceil(Number(pushback) / 1000)), null, new Date());
  return parseRetryAfter(text('retry-after'), text('date'), new Date());
}
