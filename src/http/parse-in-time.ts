import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../platform/app-error.js';

/** The largest body that is read as a whole takes no longer, however slow the line. */
const BODY_TIMEOUT_MS = 30_000;

/** Has a body parsed that may not be on its way for long. @param done called once, with what went wrong if anything did */
export function parseInTime(
  parser: RequestHandler,
  request: Request,
  response: Response,
  done: (error?: unknown) => void,
): void {
  let isDone = false;
  const finish = (error?: unknown): void => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    done(error);
  };
  const timer = setTimeout(() => {
    finish(new AppError('request-timeout', `The body did not arrive within ${BODY_TIMEOUT_MS / 1000} seconds.`));
  }, BODY_TIMEOUT_MS);
  void parser(request, response, finish);
}
