import { z } from 'zod';
import type { ProblemCode } from './problem.contract.js';

/** Chapters of the docs, in their order. */
export const TAGS = [
  'Accounts',
  'Credits',
  'Datasets',
  'Videos',
  'Models',
  'Inference',
  'Usage',
  'Events',
  'Webhooks',
  'Administration',
  'Service',
] as const;
export type Tag = (typeof TAGS)[number];

/**
 * `none`: open to everybody. `user`: any valid token or API key. `session`: a token that a login gave, no API key.
 * `admin`: a token or API key of an administrator.
 */
export type Access = 'none' | 'user' | 'session' | 'admin';

/** What an API key may do: `read` every GET, `write` the rest, `admin` what is for administrators (beside the others). */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface RouteRequest {
  params?: z.ZodObject;
  query?: z.ZodObject;
  /**
   * Request headers that mean something to this route, under the names that people write them with (`If-Match`). Several
   * lines of one header arrive joined by commas; headers that are not named here are none of the route's business.
   */
  headers?: z.ZodObject;
  body?: z.ZodObject | z.ZodDiscriminatedUnion<z.ZodObject[]>;
  /** A multipart form: text fields, and the name of its one file field. */
  multipart?: { fields: z.ZodObject; file: string; fileDescription: string };
  /** Bytes that are taken in as they come. */
  stream?: { contentType: string; description: string };
}

export type RouteAnswer =
  | { description: string; schema: z.ZodType; headers?: Record<string, string>; stream?: StreamAnswer }
  | {
      description: string;
      contentType: 'application/zip' | 'image/jpeg' | 'text/html' | 'video/*';
      headers?: Record<string, string>;
    }
  /** Says everything in its headers. */
  | { description: string; isEmpty: true; headers?: Record<string, string> };

/** The same as server-sent events, for clients that accept `text/event-stream`. */
export interface StreamAnswer {
  description: string;
  /** When a client that comes back is answered with 204, which tells it to stay away. */
  nothingLeft?: string;
}

/**
 * What becomes of a request that arrives twice. `key`: with the same Idempotency-Key it has its effect once, and the
 * handler acts through `once.run`. Otherwise the reason why no key is needed or none can be taken.
 */
export type Idempotency = 'key' | { without: string };

export const IDEMPOTENCY_KEY = 'Idempotency-Key';

export type RouteDescriptor = AnyRoute & (PostRoute | OtherRoute);

interface PostRoute {
  method: 'post';
  /** Each POST says it: this is where a double click or a repetition after a lost answer would cost twice. */
  idempotency: Idempotency;
}

interface OtherRoute {
  method: 'get' | 'head' | 'put' | 'patch' | 'delete';
  idempotency?: undefined;
}

/** One endpoint as the outside sees it: the router, the docs, the SDK and the tests all read this. */
interface AnyRoute {
  operationId: string;
  /** Below `/api`, parameters in braces: `/dataset/{id}`. */
  path: `/${string}`;
  /** The path stands by itself, without `/api` and its alias in front: a place that a standard names. */
  outsideApi?: true;
  access: Access;
  /** Not counted by the rate limit of its caller's address: what watches over the server asks it all the time. */
  unlimited?: true;
  tag: Tag;
  summary: string;
  description?: string;
  request?: RouteRequest;
  success: {
    status: 200 | 201 | 202 | 204;
    answer: RouteAnswer;
    /** Further ways to succeed, with an answer of the same form: 206 with a part of it, 304 without any. */
    also?: readonly { status: 200 | 202 | 206 | 304; description: string }[];
  };
  /** Problems beyond those that every route of its kind can answer with. */
  problems: readonly ProblemCode[];
}

/** The path as a client calls it, its parameters still in braces. */
export const fullPath = ({ path, outsideApi }: RouteDescriptor): string => (outsideApi === true ? path : `/api${path}`);

/** Keeps the exact type of the descriptor while checking its form. */
export function defineRoute<const D extends RouteDescriptor>(descriptor: D): D {
  return descriptor;
}

type Input<D extends RouteDescriptor, K extends 'params' | 'query' | 'headers' | 'body'> =
  D['request'] extends Record<K, infer S extends z.ZodType> ? z.output<S> : undefined;

/** What a handler is given after validation. */
export interface RouteInput<D extends RouteDescriptor> {
  params: Input<D, 'params'>;
  query: Input<D, 'query'>;
  headers: Input<D, 'headers'>;
  body: Input<D, 'body'>;
}

/** What a handler has to answer with; `never` for answers that are streams. */
export type RouteOutput<D extends RouteDescriptor> = D['success']['answer'] extends {
  schema: infer S extends z.ZodType;
}
  ? z.input<S>
  : never;

/** Statuses beside the usual one that a handler may answer with. */
export type OtherStatus<D extends RouteDescriptor> = D['success'] extends {
  also: readonly { status: infer S extends number }[];
}
  ? S
  : never;

export const idSchema = z.uuid().meta({ example: '550e8400-e29b-41d4-a716-446655440000' });
export const idParams = z.object({ id: idSchema.meta({ description: 'Id of what the path names.' }) });
export const timeSchema = z.iso.datetime().meta({ example: '2026-07-15T10:30:00.000Z' });
export const messageSchema = z.string();

/** A point in time with its zone; becomes a date. */
export const momentSchema = z.iso
  .datetime({ offset: true, error: 'Use a time with its zone, for example 2026-07-15T10:30:00Z.' })
  .transform((text) => new Date(text));

/** Longest time that a request can ask to wait for. */
const MAX_WAIT_SECONDS = 60;

/** For routes that can wait for the end of jobs (RFC 7240 section 4.3); becomes seconds. */
export const preferHeader = {
  Prefer: z
    .string()
    .transform(waitOf)
    .optional()
    .meta({
      description:
        `\`wait=N\`: answer when the jobs have ended, at the latest after N seconds (${MAX_WAIT_SECONDS} at most). ` +
        'Other preferences are passed over.',
      example: 'wait=1',
    }),
};

/** Preferences that are not understood are none (RFC 7240 section 2). */
function waitOf(preferences: string): number | undefined {
  const waits = preferences
    .split(',')
    .map((preference) => /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(;.*)?$/i.exec(preference)?.[1]);
  const first = waits.find((seconds) => seconds !== undefined);
  return first === undefined ? undefined : Math.min(Number(first), MAX_WAIT_SECONDS);
}

/** What a route says about the header that tells how long it was ready to wait. */
export const PREFERENCE_APPLIED =
  'The wait that was granted, `wait=N`; left out when none was asked for or too many wait.';

/** What every list understands: `?limit=&cursor=`. */
export const pageQuery = {
  limit: z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^\d{1,3}$/)
          .transform(Number),
      ],
      'Use a whole number from 1 to 200.',
    )
    .pipe(z.int().min(1).max(200))
    .default(200)
    .meta({ description: 'Entries of a page, at most.' }),
  cursor: z.string().max(200).optional().meta({ description: '`nextCursor` of the page before.' }),
};

/** Beside the list of a page; null on the last one. */
export const nextCursorSchema = z.string().nullable();

/** Characters that people do not see, or that change what they see: they make two names look like one. */
const INVISIBLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd\ufeff]/u;

/** Text for people: trimmed, in Unicode's composed form (NFC), with something to see in it. */
export const visibleText = (what: string, maxLength: number) =>
  z
    .string()
    .transform((text) => text.trim().normalize('NFC'))
    .pipe(
      z
        .string()
        .max(maxLength, `${what} has at most ${maxLength} characters.`)
        .refine((text) => !INVISIBLE.test(text), `${what} cannot contain control characters or broken text.`)
        .refine((text) => /[^\p{Z}\p{Cf}]/u.test(text), `${what} cannot be empty.`),
    )
    .meta({ minLength: 1, maxLength, pattern: String.raw`\S` });
