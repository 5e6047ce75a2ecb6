import { Router, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import type { RouteDescriptor } from '../contract/route.contract.js';
import { AppError, type FieldError } from '../platform/app-error.js';
import type { Authenticator } from './authenticate.js';
import { clientSignal } from './client-signal.js';
import type { CorsPolicy } from './cors-policy.js';
import { isKnownToCaller } from './entity-tags.js';
import { fieldErrors, validationFailed } from './field-errors.js';
import type { IdempotencyService } from '../modules/idempotency/idempotency.service.js';
import { AnsweredBefore } from '../platform/once.js';
import { RequestOnce, sendRecorded } from './idempotency.js';
import { readJson } from './read-json.js';
import { ANSWERED, type Route } from './route-table.js';
import type { TrafficLimits } from './traffic-limits.js';

interface Options {
  authenticator: Authenticator;
  limits: TrafficLimits;
  cors: CorsPolicy;
  idempotency: IdempotencyService;
  /** Runs before everything else of a route, e.g. a rate limit. */
  before: ReadonlyMap<RouteDescriptor, RequestHandler[]>;
  /** Headers by which OPTIONS of a path tells more than its methods. */
  capabilities: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

/** Makes an Express router of the tables: count, guard, parse, call, answer. Unknown methods of known paths answer 405. */
export function mountRoutes(routes: readonly Route[], options: Options): Router {
  const router = Router({ caseSensitive: true });
  const methods = new Map<string, Set<string>>();
  for (const current of routes) {
    const { descriptor } = current;
    const path = expressPath(descriptor.path);
    methods.set(path, (methods.get(path) ?? new Set()).add(descriptor.method.toUpperCase()));
    const parseBody = descriptor.request?.body === undefined ? [] : [readJson];
    router[descriptor.method](
      path,
      ...admission(descriptor, options),
      ...(options.before.get(descriptor) ?? []),
      ...parseBody,
      (request: Request, response: Response) => serve(current, request, response, options),
    );
  }
  for (const [path, known] of methods) {
    const allowed = [...new Set([...known, ...(known.has('GET') ? ['HEAD'] : []), 'OPTIONS'])];
    router.options(path, options.cors.preflight(allowed), answerOptions(allowed, options.capabilities.get(path)));
    router.all(path, options.limits.address, refuseMethod(allowed));
  }
  return router;
}

/** Who may come in, and how often. */
function admission(
  { access, unlimited }: RouteDescriptor,
  { authenticator, limits }: Options,
): (RequestHandler | ErrorRequestHandler)[] {
  if (access === 'none') return unlimited === true ? [] : [limits.address];
  return [authenticator.guard(access), limits.refused, limits.user];
}

export const expressPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

async function serve(
  { descriptor, handler }: Route,
  request: Request,
  response: Response,
  { authenticator, idempotency }: Options,
): Promise<void> {
  const input = parseInput(descriptor, request);
  const principal = authenticator.principalOf(request);
  const once =
    descriptor.idempotency === 'key' && principal !== null
      ? new RequestOnce({ descriptor, request, userId: principal.userId, input, service: idempotency })
      : null;
  const scope = { principal, signal: clientSignal(request, response), request, response, once };
  let answer: Awaited<ReturnType<typeof handler>>;
  try {
    answer = await handler(input, scope);
  } catch (error) {
    if (!(error instanceof AnsweredBefore)) throw error;
    sendRecorded(response, error.answer);
    return;
  }
  once?.requireRun();
  if (answer === ANSWERED) return;
  response.status(answer.status ?? descriptor.success.status).set(answer.headers ?? {});
  // Not left to Express: it answers in full to every `fetch` of a script, whose `no-cache` is meant for caches on the way.
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const { ETag: etag } = answer.headers ?? {};
  if (isRead && etag !== undefined && isKnownToCaller(request.get('If-None-Match'), etag)) response.status(304).end();
  else response.json(answer.body);
}

/** A misspelt filter would otherwise be a filter that does nothing. */
const NO_QUERY = z.strictObject({});

function parseInput({ request: expected }: RouteDescriptor, request: Request) {
  const errors: FieldError[] = [];
  const parse = (schema: z.ZodType | undefined, value: unknown): unknown => {
    if (schema === undefined) return undefined;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) errors.push(...fieldErrors(issue));
    return undefined;
  };
  const input = {
    params: parse(expected?.params, request.params),
    query: parse(expected?.query ?? NO_QUERY, request.query),
    headers: parse(expected?.headers, namedHeaders(expected?.headers, request)),
    body: parse(expected?.body, request.body ?? {}),
  };
  // An id that is not even an id names nothing that exists.
  if (expected?.params !== undefined && input.params === undefined) {
    throw new AppError('not-found', 'There is nothing with this id.');
  }
  if (errors.length > 0) throw validationFailed(errors);
  return input;
}

/** What a route knows of the headers, under the contract's spelling of their names. */
function namedHeaders(schema: z.ZodObject | undefined, request: Request): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema?.shape ?? {})) {
    const value = request.get(name);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

export function answerOptions(
  allowed: readonly string[],
  capabilities: Readonly<Record<string, string>> = {},
): RequestHandler {
  return (_request, response) => {
    response
      .set({ ...capabilities, Allow: allowed.join(', ') })
      .status(204)
      .end();
  };
}

export function refuseMethod(allowed: readonly string[]): RequestHandler {
  const allow = allowed.join(', ');
  return (request, response) => {
    response.set('Allow', allow);
    throw new AppError('method-not-allowed', `${request.method} is not possible here; ${allow} are.`);
  };
}
