import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { AppError } from '../platform/app-error.js';
import { parseInTime } from './parse-in-time.js';
import { wantBody } from './want-body.js';

const BODY_LIMIT = '100kb';
const TYPES = ['application/json', 'application/*+json'];

/** No request of the API needs half as many, and whoever walks through a value may do so by recursion. */
const MAX_DEPTH = 32;

const parser = express.json({ limit: BODY_LIMIT, strict: true, type: TYPES });

/** Reads a JSON body; an absent one is an empty object, another content type is refused. */
export const readJson: RequestHandler = (request, response, next) => {
  if (request.body !== undefined) {
    next();
    return;
  }
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && request.is(TYPES) === false) {
    next(new AppError('unsupported-media-type', 'Send the body as application/json.'));
    return;
  }
  wantBody(request, response);
  parse(request, response, next);
};

function parse(request: Request, response: Response, next: NextFunction): void {
  parseInTime(parser, request, response, (error) => {
    if (error !== undefined) next(translate(error));
    else
      next(
        tooDeep(request.body)
          ? new AppError('malformed-request', `A JSON body has at most ${MAX_DEPTH} levels.`)
          : undefined,
      );
  });
}

function tooDeep(body: unknown): boolean {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((value): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return false;
}

/** Whatever the parser says of the body is the sender's doing; only what has no 4xx status is ours. */
function translate(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AppError) return error;
  const { type, status } = error as { type?: unknown; status?: unknown };
  switch (type) {
    case 'entity.parse.failed':
      return new AppError('malformed-json', 'The body is not valid JSON.', { cause: error });
    case 'entity.too.large':
      return new AppError('payload-too-large', `A JSON body has at most ${BODY_LIMIT}.`, { cause: error });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new AppError('unsupported-media-type', 'Send the body in UTF-8, uncompressed or as gzip or deflate.', {
        cause: error,
      });
  }
  const { code } = error as { code?: unknown };
  const fromSender = (typeof status === 'number' && status >= 400 && status < 500) || /^(Z_|ERR_)/.test(String(code));
  return fromSender
    ? new AppError('malformed-request', 'The body could not be read to its end.', { cause: error })
    : error;
}
