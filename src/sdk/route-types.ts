import type { z } from 'zod';
import type { RouteDescriptor } from '../contract/route.contract.js';

type SchemaOf<D extends RouteDescriptor, K extends 'query' | 'body'> =
  D['request'] extends Record<K, infer S extends z.ZodType> ? S : never;

/** What a caller may send: fields with a default can be left out. */
export type BodyOf<D extends RouteDescriptor> = z.input<SchemaOf<D, 'body'>>;
export type QueryOf<D extends RouteDescriptor> = z.input<SchemaOf<D, 'query'>>;

/** Text fields of a multipart form. */
export type FieldsOf<D extends RouteDescriptor> = D['request'] extends {
  multipart: { fields: infer S extends z.ZodType };
}
  ? z.input<S>
  : never;

/** What the server answers; `never` where that is no JSON. */
export type AnswerOf<D extends RouteDescriptor> = D['success']['answer'] extends { schema: infer S extends z.ZodType }
  ? z.output<S>
  : never;

/** The parts of a request, untyped: `Client` gives each route its own types. */
export interface RequestParts {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  /** By name; one that is undefined is not sent. */
  headers?: Record<string, unknown>;
  body?: object;
}
