import cors, { type CorsOptions } from 'cors';
import type { RequestHandler } from 'express';
import { ROUTES } from '../contract/routes.js';

/** Pages of these origins may use the API; `*`: those of all. */
export type AllowedOrigins = '*' | readonly string[];

/** What scripts of other origins may read beside the few headers that are always open to them. */
const EXPOSED_HEADERS = [
  'Location',
  'ETag',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
  'Idempotency-Replayed',
  'Preference-Applied',
  'Content-Disposition',
  'Content-Range',
  'Accept-Ranges',
  'Tus-Resumable',
  'Tus-Version',
  'Tus-Extension',
  'Tus-Max-Size',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Expires',
];

/** What they may send: what the whole API understands, what the routes name, and what resumable uploads take. */
const ACCEPTED_HEADERS = [
  ...['Authorization', 'Content-Type', 'X-Request-Id', 'Range', 'If-Range', 'Last-Event-ID'],
  ...ROUTES.flatMap(({ request }) => Object.keys(request?.headers?.shape ?? {})),
  ...['Tus-Resumable', 'Upload-Length', 'Upload-Offset', 'Upload-Metadata', 'Upload-Defer-Length'],
];

const PREFLIGHT_SECONDS = 600;

export interface CorsPolicy {
  /** Marks what is answered. */
  answer: RequestHandler;
  /** Marks what is answered to OPTIONS of a path that has these methods, and goes on. */
  preflight(methods: readonly string[]): RequestHandler;
}

const passOn: RequestHandler = (_request, _response, next) => next();

/** Lets pages of some origins call the API, by bearer tokens only: cookies stay at home. */
export function corsPolicy(origins: AllowedOrigins): CorsPolicy {
  // Without an origin to allow there is nothing to say: browsers refuse by themselves.
  if (origins !== '*' && origins.length === 0) return { answer: passOn, preflight: () => passOn };
  const options: CorsOptions = {
    origin: origins === '*' ? '*' : [...origins],
    allowedHeaders: [...new Set(ACCEPTED_HEADERS)],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
    preflightContinue: true,
  };
  const answer = cors(options);
  return {
    answer: (request, response, next) => (request.method === 'OPTIONS' ? next() : answer(request, response, next)),
    preflight: (methods) => cors({ ...options, methods: [...methods] }),
  };
}

/** Programs send no Origin; a page may come from the host itself (RFC 6455 section 10.2) or from where it is allowed to. */
export function mayConnect(origins: AllowedOrigins, origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || origins === '*' || origins.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
