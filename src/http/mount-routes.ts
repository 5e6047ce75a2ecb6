import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { RouteDescriptor } from '../contract/route.contract.js';
import { AppError, type FieldError } from '../platform/app-error.js';
import type { Authenticator } from './authenticate.js';
import { clientSignal } from './client-signal.js';
import { fieldErrors, validationFailed } from './field-errors.js';
import { readJson } from './read-json.js';
import { ANSWERED, type Route } from './route-table.js';

interface Options {
  authenticator: Authenticator;
  /** Runs before everything else of a route, e.g. a rate limit. */
  before: ReadonlyMap<RouteDescriptor, RequestHandler[]>;
}

/** Makes an Express router of the tables: guard, parse, call, answer. Unknown methods of known paths answer 405. */
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
      ...(options.before.get(descriptor) ?? []),
      ...(descriptor.access === 'none' ? [] : [options.authenticator.guard(descriptor.access)]),
      ...parseBody,
      (request, response) => serve(current, request, response, options.authenticator),
    );
  }
  for (const [path, allowed] of methods) router.all(path, refuseMethod(allowed));
  return router;
}

export const expressPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

async function serve(route: Route, request: Request, response: Response, authenticator: Authenticator): Promise<void> {
  const { descriptor } = route;
  const input = parseInput(descriptor, request);
  const principal = authenticator.principalOf(request);
  const answer = await route.handler(input, { principal, signal: clientSignal(request, response), request, response });
  if (answer === ANSWERED) return;
  response
    .status(descriptor.success.status)
    .set(answer.headers ?? {})
    .json(answer.body);
}

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
    query: parse(expected?.query, request.query),
    headers: parse(expected?.headers, namedHeaders(expected?.headers, request)),
    body: parse(expected?.body, request.body ?? {}),
  };
  // An id that is not even an id names nothing that exists.
  if (errors.some((error) => error.path === 'id') && expected?.params !== undefined && input.params === undefined) {
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

function refuseMethod(allowed: ReadonlySet<string>): RequestHandler {
  const allow = [...allowed, ...(allowed.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  return (request, response) => {
    response.set('Allow', allow);
    if (request.method === 'OPTIONS') {
      response.status(204).end();
      return;
    }
    throw new AppError('method-not-allowed', `${request.method} is not possible here; ${allow} are.`);
  };
}
