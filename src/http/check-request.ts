import type { Request, RequestHandler } from 'express';
import { AppError } from '../platform/app-error.js';

const MAX_URL_LENGTH = 8_192;
const MAX_QUERY_PARAMETERS = 100;
const MAX_PARAMETER_LENGTH = 2_048;
const MAX_HEADERS = 100;

/** Refuses what is out of all proportion or two-faced before anybody works on it. */
export const checkRequest: RequestHandler = (request, _response, next) => {
  next(problemWith(request));
};

function problemWith(request: Request): AppError | undefined {
  if (request.url.length > MAX_URL_LENGTH) {
    return new AppError('uri-too-long', `An address has at most ${MAX_URL_LENGTH} characters.`);
  }
  if (request.rawHeaders.length > 2 * MAX_HEADERS) {
    return new AppError('headers-too-large', `A request has at most ${MAX_HEADERS} headers.`);
  }
  const hosts = request.headersDistinct.host ?? [];
  // RFC 9112 section 3.2. Two hosts are how one request is made to mean two things to a proxy and to us.
  if (hosts.length > 1 || (hosts.length === 0 && request.httpVersion === '1.1')) {
    return new AppError('malformed-request', 'Send one Host header.');
  }
  return problemWithQuery(request.url);
}

function problemWithQuery(url: string): AppError | undefined {
  const start = url.indexOf('?');
  if (start < 0) return undefined;
  const parameters = url.slice(start + 1).split('&');
  if (parameters.length > MAX_QUERY_PARAMETERS) {
    return new AppError('malformed-request', `An address has at most ${MAX_QUERY_PARAMETERS} query parameters.`);
  }
  if (parameters.some((parameter) => parameter.length > MAX_PARAMETER_LENGTH)) {
    return new AppError('malformed-request', `A query parameter has at most ${MAX_PARAMETER_LENGTH} characters.`);
  }
  return undefined;
}
