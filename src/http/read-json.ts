import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { AppError } from '../platform/app-error.js';

const BODY_LIMIT = '100kb';
const parser = express.json({ limit: BODY_LIMIT, strict: true, type: ['application/json', 'application/*+json'] });

/** Reads a JSON body; an absent one is an empty object, another content type is refused. */
export const readJson: RequestHandler = (request, response, next) => {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (hasBody && request.is(['application/json', 'application/*+json']) === false) {
    next(new AppError('unsupported-media-type', 'Send the body as application/json.'));
    return;
  }
  parser(request, response, next);
};

interface BodyParserError extends Error {
  type: string;
}

/** Body-parser's errors in our own words. */
export const translateJsonErrors: ErrorRequestHandler = (error: unknown, _request, _response, next) => {
  next(isBodyParserError(error) ? translate(error) : error);
};

function isBodyParserError(error: unknown): error is BodyParserError {
  return error instanceof Error && 'type' in error && typeof error.type === 'string' && 'status' in error;
}

function translate(error: BodyParserError): AppError {
  switch (error.type) {
    case 'entity.parse.failed':
      return new AppError('malformed-json', 'The body is not valid JSON.', { cause: error });
    case 'entity.too.large':
      return new AppError('payload-too-large', `A JSON body has at most ${BODY_LIMIT}.`, { cause: error });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new AppError('unsupported-media-type', 'Send the body in UTF-8, uncompressed or as gzip or deflate.', {
        cause: error,
      });
    default:
      return new AppError('malformed-request', 'The body could not be read to its end.', { cause: error });
  }
}
