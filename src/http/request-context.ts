import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { runInContext } from '../platform/context.js';
import type { Logger } from '../platform/logging/logger.js';

const CLIENT_ID = /^[\w.:-]{1,64}$/;

/** Gives every request an id (the client's, when it sends a sane one), and a line in the log when it is over. */
export function requestContext(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && CLIENT_ID.test(given) ? given : randomUUID();
    response.set('X-Request-Id', requestId);
    const startedAt = performance.now();
    const { ip } = request;
    runInContext({ requestId, ...(ip === undefined ? {} : { address: ip }) }, () => {
      response.once('close', () => {
        logger.debug('Request', {
          method: request.method,
          path: request.path,
          status: response.writableFinished ? response.statusCode : 'aborted',
          milliseconds: Math.round(performance.now() - startedAt),
        });
      });
      next();
    });
  };
}
