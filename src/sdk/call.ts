import type { IncomingMessage } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { fullPath, IDEMPOTENCY_KEY, type RouteDescriptor } from '../contract/route.contract.js';
import { ApiError, UnexpectedAnswerError } from './api-error.js';
import { exchange, type OutgoingBody } from './exchange.js';
import { openMultipart, type UploadFile } from './multipart.js';
import type { AnswerOf, RequestParts } from './route-types.js';

export interface Connection {
  readonly baseUrl: string;
  readonly token?: string;
}

export interface CallOptions {
  /** For routes that take one: the same call with the same key, however often it is made, has its effect once. */
  idempotencyKey?: string;
  /** For routes that take it: seconds to wait for the end of the jobs, 60 at most. */
  wait?: number;
  signal?: AbortSignal;
  /** Longest silence on the connection, in milliseconds. Default: one minute, for uploads 6 hours: the server decodes the whole video before it answers. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
/** After its last byte the server reads the whole video to count its frames before it answers. */
const UPLOAD_TIMEOUT_MS = 6 * 3600 * 1000;

/** Calls a route that answers with JSON. */
export async function call<D extends RouteDescriptor>(
  connection: Connection,
  route: D,
  parts: RequestParts,
  options: CallOptions = {},
): Promise<AnswerOf<D>> {
  return parseAnswer(route, await callForText(connection, route, parts, options));
}

export async function callForText(
  connection: Connection,
  route: RouteDescriptor,
  parts: RequestParts,
  options: CallOptions = {},
): Promise<string> {
  return readText(await openAnswer(connection, route, parts, options));
}

/** Calls a route and hands over its answer unread; every problem has been thrown by then. */
export function openAnswer(
  connection: Connection,
  route: RouteDescriptor,
  parts: RequestParts,
  options: CallOptions,
): Promise<IncomingMessage> {
  return send(connection, route, parts, options, parts.body === undefined ? undefined : jsonBody(parts.body));
}

/** Calls a route that takes a multipart form with one file. */
export async function upload<D extends RouteDescriptor>(
  connection: Connection,
  route: D,
  {
    fields,
    file,
    ...parts
  }: { params: Record<string, string>; fields: Record<string, string>; file: UploadFile } & Pick<
    RequestParts,
    'headers'
  >,
  options: CallOptions & { onProgress?(sentBytes: number, totalBytes: number): void } = {},
): Promise<AnswerOf<D>> {
  const form = route.request?.multipart;
  if (form === undefined) throw new TypeError(`${route.operationId} takes no file`);
  const body = await openMultipart(fields, form.file, file, options.onProgress);
  try {
    const answer = await send(connection, route, parts, { timeoutMs: UPLOAD_TIMEOUT_MS, ...options }, body);
    return parseAnswer(route, await readText(answer));
  } finally {
    await body.close();
  }
}

/** Calls a route that takes bytes as they are; every problem has been thrown when the answer is handed over. */
export function sendBytes(
  connection: Connection,
  route: RouteDescriptor,
  parts: RequestParts,
  options: CallOptions,
  body: OutgoingBody,
): Promise<IncomingMessage> {
  return send(connection, route, parts, { timeoutMs: UPLOAD_TIMEOUT_MS, ...options }, body);
}

async function send(
  { baseUrl, token }: Connection,
  route: RouteDescriptor,
  parts: RequestParts,
  { signal, wait, timeoutMs = TIMEOUT_MS + 1000 * (wait ?? 0), idempotencyKey }: CallOptions,
  body: OutgoingBody | undefined,
): Promise<IncomingMessage> {
  const answer = await exchange({
    method: route.method.toUpperCase(),
    url: addressOf(baseUrl, route, parts),
    headers: {
      ...headerLines(parts),
      ...(wait === undefined ? {} : { Prefer: `wait=${wait}` }),
      ...(idempotencyKey === undefined ? {} : { [IDEMPOTENCY_KEY]: idempotencyKey }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    },
    body,
    signal,
    timeoutMs,
  });
  const { status, also = [] } = route.success;
  if ([status, ...also.map((other) => other.status)].includes(answer.statusCode as typeof status)) return answer;
  throw ApiError.of(route.operationId, answer, await readText(answer));
}

function addressOf(baseUrl: string, route: RouteDescriptor, { params = {}, query = {} }: RequestParts): URL {
  const filled = fullPath(route).replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name]));
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}${filled}`);
  for (const [name, value] of Object.entries(query)) {
    for (const single of Array.isArray(value) ? value : [value]) {
      if (single !== undefined) url.searchParams.append(name, String(single));
    }
  }
  return url;
}

function headerLines({ headers = {} }: RequestParts): Record<string, string> {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function jsonBody(value: object): OutgoingBody {
  const bytes = Buffer.from(JSON.stringify(value), 'utf8');
  return { contentType: 'application/json', contentLength: bytes.length, chunks: () => [bytes] };
}

function parseAnswer<D extends RouteDescriptor>(route: D, text: string): AnswerOf<D> {
  const { answer } = route.success;
  if (!('schema' in answer)) throw new TypeError(`${route.operationId} does not answer with JSON`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UnexpectedAnswerError(`${route.operationId}: the answer is not JSON`, { cause: error });
  }
  const result = answer.schema.safeParse(value);
  if (result.success) return result.data as AnswerOf<D>;
  throw new UnexpectedAnswerError(`${route.operationId}: the answer breaks the contract`, { cause: result.error });
}
