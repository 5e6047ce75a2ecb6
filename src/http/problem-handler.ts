import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { PROBLEM_KINDS, type Problem } from '../contract/problem.contract.js';
import { AppError } from '../platform/app-error.js';
import { currentContext } from '../platform/context.js';
import { isDatabaseUnavailable } from '../platform/database/database-errors.js';
import type { Logger } from '../platform/logging/logger.js';
import { ObjectTooLargeError, StorageFullError } from '../platform/storage/object-store.port.js';
import { clientSignal } from './client-signal.js';

export const unknownRoute: RequestHandler = (request) => {
  throw new AppError('route-not-found', `There is no ${request.method} ${request.path.slice(0, 200)}.`);
};

/** The only place that answers with an error: one format, no stack, no cause. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    if (clientSignal(request, response).aborted) {
      // Nobody is there to be told, and nothing of ours is broken.
      logger.info('The client left before its answer', { method: request.method, path: request.path, error: thrown });
      response.destroy();
      return;
    }
    const error = toAppError(thrown);
    const details = { method: request.method, path: request.path, code: error.code, status: error.status };
    if (error.status >= 500) logger.error('Request failed', { ...details, error: thrown });
    else logger.info('Request refused', { ...details, detail: error.message });

    if (response.headersSent || response.destroyed) {
      // Half an answer must not look like a whole one.
      response.destroy();
      return;
    }
    if (!request.complete) hangUpAfter(request, response);
    response
      .status(error.status)
      .set({ ...standardHeaders(error), ...error.headers })
      .type('application/problem+json')
      .send(JSON.stringify(presentProblem(error, request.originalUrl.split('?')[0].slice(0, 500))));
  };
}

/** RFC 9110 sections 10.2.3 and 15.5.2, RFC 6750 section 3. */
function standardHeaders({ status, code }: AppError): Record<string, string> {
  if (status === 503) return { 'Retry-After': '2' };
  if (status !== 401) return {};
  return { 'WWW-Authenticate': `Bearer realm="infernode"${code === 'invalid-token' ? ', error="invalid_token"' : ''}` };
}

const LINGER_MS = 2_000;

/** The rest of a refused body is not waited for: the answer goes out, and soon after the connection ends. */
function hangUpAfter(request: Request, response: Response): void {
  response.set('Connection', 'close');
  response.once('finish', () => {
    // Reading on for a moment lets the answer arrive before the reset does.
    request.resume();
    setTimeout(() => request.destroy(), LINGER_MS).unref();
  });
}

export function presentProblem(error: AppError, instance: string): Problem {
  const { title, status, retryable } = PROBLEM_KINDS[error.code];
  return {
    type: `urn:infernode:problem:${error.code}`,
    title: title ?? STATUS_CODES[status],
    status,
    detail: error.message,
    instance,
    code: error.code,
    retryable,
    requestId: currentContext().requestId ?? '',
    errors: error.errors.map(({ path, message }) => ({ path, message })),
    ...error.extensions,
  };
}

export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const cause = { cause: thrown };
  if (thrown instanceof StorageFullError)
    return new AppError('storage-full', 'There is no room for this right now.', cause);
  if (thrown instanceof ObjectTooLargeError) return new AppError('payload-too-large', thrown.message, cause);
  if (isDatabaseUnavailable(thrown)) {
    return new AppError('service-unavailable', 'The database does not answer; please try again.', cause);
  }
  if (thrown instanceof URIError) return new AppError('malformed-request', 'The address cannot be decoded.', cause);
  return new AppError(
    'internal-error',
    'Something went wrong on our side. Quote the request id when you report it.',
    cause,
  );
}
