import { isDeepStrictEqual } from 'node:util';
import { cnsParametersSchema } from '../../contract/inference.contract.js';
import { runParametersDocument } from '../../contract/model.contract.js';
import { findUnstorable } from '../../platform/database/storable-json.js';
import { compileSchema, SchemaError } from '../../platform/json-schema/compile-schema.js';
import type { SchemaFlaw } from '../../platform/json-schema/schema-rules.js';
import type { ParameterSchema } from './model.domain.js';

type Members = Readonly<Record<string, unknown>>;

interface ObjectSchema extends Members {
  properties: Members;
  required: readonly string[];
}

const RUN_DOCUMENT = runParametersDocument() as ObjectSchema;

/** The fields of every run, as each of them parses. */
const RUN_FIELDS = cnsParametersSchema.shape;
type RunField = keyof typeof RUN_FIELDS;

export const isRunField = (name: string): name is RunField => Object.hasOwn(RUN_FIELDS, name);

/** Ways to take a field of every run more narrowly, or to tell more of it. */
const NARROWING = [
  '$comment',
  'const',
  'default',
  'deprecated',
  'description',
  'enum',
  'examples',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'maximum',
  'minimum',
  'multipleOf',
  'title',
  'type',
];

/** They would let names through that no form shows. */
const OPEN_MEMBERS = ['patternProperties', 'propertyNames', 'unevaluatedProperties'];

/** A name that a form, a program and a query can have for a parameter. */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What a job on the model may give as its parameters: what every run takes, and what the model adds or narrows.
 * @param own a schema without flaws
 */
export function completeSchema(own: ParameterSchema): ObjectSchema {
  const added = (own['properties'] ?? {}) as Members;
  const properties: Record<string, unknown> = { ...RUN_DOCUMENT.properties };
  for (const [name, schema] of Object.entries(added)) {
    properties[name] = isRunField(name)
      ? narrowed(RUN_DOCUMENT.properties[name] as Members, schema as Members)
      : schema;
  }
  const required = [...new Set([...RUN_DOCUMENT.required, ...((own['required'] ?? []) as string[])])];
  return {
    ...own,
    $schema: RUN_DOCUMENT['$schema'],
    type: 'object',
    properties,
    required,
    additionalProperties: false,
  };
}

/** Examples of what every run takes may lie beyond narrower bounds. */
function narrowed({ examples: _examples, ...base }: Members, own: Members): Members {
  return { ...base, ...own };
}

/** @returns what keeps a schema from being that of a model; null when nothing does */
export function findModelSchemaFlaw(own: ParameterSchema): SchemaFlaw | null {
  const unstorable = findUnstorable(own);
  if (unstorable !== null) return { path: unstorable, message: 'Text cannot hold NUL or broken characters here.' };
  const flaw = findRootFlaw(own) ?? findFieldFlaw((own['properties'] ?? {}) as Members);
  if (flaw !== null) return flaw;
  try {
    compileSchema(completeSchema(own));
    return null;
  } catch (error) {
    if (error instanceof SchemaError) return error.flaw;
    throw error;
  }
}

function findRootFlaw(own: ParameterSchema): SchemaFlaw | null {
  const { type, properties = {}, required = [], additionalProperties = false } = own;
  if (type !== 'object') return { path: ['type'], message: 'Parameters are an object: use "object".' };
  if (!isObject(properties)) return { path: ['properties'], message: 'It must be an object.' };
  if (additionalProperties !== false) {
    return { path: ['additionalProperties'], message: 'Other names than those of "properties" are never accepted.' };
  }
  const open = OPEN_MEMBERS.find((name) => Object.hasOwn(own, name));
  if (open !== undefined) return { path: [open], message: 'Describe each parameter under "properties".' };
  if (!Array.isArray(required)) return { path: ['required'], message: 'It must be a list.' };
  const unknown = required.find(
    (name) => typeof name !== 'string' || !(Object.hasOwn(properties, name) || isRunField(name)),
  ) as unknown;
  return unknown === undefined
    ? null
    : { path: ['required'], message: `${JSON.stringify(unknown)} is not among the "properties".` };
}

function findFieldFlaw(properties: Members): SchemaFlaw | null {
  for (const [name, schema] of Object.entries(properties)) {
    const path = ['properties', name];
    // A name that every object has by birth would never be found missing.
    if (!FIELD_NAME.test(name) || name in Object.prototype) {
      return { path, message: 'A name has letters, digits and "_", a letter first.' };
    }
    if (!isRunField(name) || isDeepStrictEqual(schema, RUN_DOCUMENT.properties[name])) continue;
    const flaw = findWidening(name, RUN_DOCUMENT.properties[name] as Members, schema);
    if (flaw !== null) return { path: [...path, ...flaw.path], message: flaw.message };
  }
  return null;
}

function findWidening(name: RunField, base: Members, own: unknown): SchemaFlaw | null {
  if (!isObject(own) || own['type'] !== base['type']) {
    const message = `Every run takes "${name}", of the type ${JSON.stringify(base['type'])}: say so.`;
    return { path: ['type'], message };
  }
  const foreign = Object.keys(own).find((member) => !NARROWING.includes(member));
  if (foreign !== undefined) {
    return { path: [foreign], message: `What every run takes can only be narrowed by ${NARROWING.join(', ')}.` };
  }
  if (Object.hasOwn(own, 'default') && RUN_DOCUMENT.required.includes(name)) {
    return { path: ['default'], message: `Every job gives "${name}": a default would never be used.` };
  }
  const accepts = (value: unknown): boolean => RUN_FIELDS[name].safeParse(value).success;
  const refused = ['const', 'default'].find((member) => Object.hasOwn(own, member) && !accepts(own[member]));
  if (refused !== undefined) return { path: [refused], message: `No run takes this as "${name}".` };
  const { enum: choices } = own;
  if (Array.isArray(choices) && !choices.every(accepts)) {
    return { path: ['enum'], message: `No run takes all of these as "${name}".` };
  }
  return findWiderBound(base, own);
}

function findWiderBound(base: Members, own: Members): SchemaFlaw | null {
  const bound = (schema: Members, ...names: string[]): number[] =>
    names.map((name) => schema[name]).filter((value) => typeof value === 'number');
  const least = Math.max(...bound(base, 'minimum', 'exclusiveMinimum'));
  const most = Math.min(...bound(base, 'maximum', 'exclusiveMaximum'));
  const isWider = [
    ...bound(own, 'minimum', 'exclusiveMinimum').map((value) => value < least),
    ...bound(own, 'maximum', 'exclusiveMaximum').map((value) => value > most),
  ].includes(true);
  return isWider ? { path: [], message: `Every run takes ${least} to ${most}: bounds can only be narrower.` } : null;
}
