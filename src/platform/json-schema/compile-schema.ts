import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats, { type FormatName } from 'ajv-formats';
import { linearPattern } from './linear-pattern.js';
import { findSchemaFlaw, type SchemaFlaw } from './schema-rules.js';

/** A part of a value that breaks its schema. */
export interface Violation {
  /** Members on the way to it, from the root of the value. */
  path: readonly string[];
  message: string;
}

/** Fills defaults into the value, in place. @returns nothing for a value that fits */
export type SchemaCheck = (value: unknown) => Violation[];

/** Of which the library's patterns are known to be cheap. */
const FORMATS: FormatName[] = ['date', 'time', 'date-time', 'duration', 'uuid', 'ipv4', 'ipv6'];

/** A schema that is not one, or that would be expensive to use. */
export class SchemaError extends Error {
  constructor(readonly flaw: SchemaFlaw) {
    super(flaw.message);
    this.name = 'SchemaError';
  }
}

/**
 * Makes a check of a JSON Schema (2020-12) that somebody else wrote. Strict: an unknown keyword or format, or a default
 * that would be passed over or does not fit, is an error of the schema.
 * @throws SchemaError
 */
export function compileSchema(schema: Readonly<Record<string, unknown>>): SchemaCheck {
  const flaw = findSchemaFlaw(schema);
  if (flaw !== null) throw new SchemaError(flaw);
  try {
    const validate = createCompiler({ useDefaults: true }).compile(schema);
    checkDefaults(schema);
    return (value) => (validate(value) ? [] : (validate.errors ?? []).map(toViolation));
  } catch (error) {
    if (error instanceof SchemaError || !(error instanceof Error)) throw error;
    throw new SchemaError({ path: [], message: `This is no valid JSON Schema: ${error.message}` });
  }
}

const ROOT = 'schema';

/** One for each schema, so that nothing of it outlives its check. */
function createCompiler({ useDefaults }: { useDefaults: boolean }): Ajv2020 {
  const regExp = Object.assign((pattern: string) => linearPattern(pattern), { code: 'linearPattern' });
  const ajv = new Ajv2020({
    strict: true,
    // Within `then`, `allOf` and the like a property is often required that is described elsewhere.
    strictRequired: false,
    allowUnionTypes: true,
    // Values are small: their senders read of all mistakes at once.
    allErrors: true,
    useDefaults,
    ownProperties: true,
    logger: false,
    code: { regExp },
  });
  addFormats.default(ajv, FORMATS);
  return ajv;
}

function checkDefaults(schema: Readonly<Record<string, unknown>>): void {
  const defaults = defaultsIn(schema, []);
  if (defaults.length === 0) return;
  // One that fills none in compiles a part of a schema by itself, with its default.
  const ajv = createCompiler({ useDefaults: false }).addSchema(schema, ROOT);
  for (const { path, value } of defaults) {
    const check = ajv.getSchema(`${ROOT}#${path.map((name) => `/${encodePointer(name)}`).join('')}`);
    if (check === undefined || check(structuredClone(value)) === true) continue;
    const [first] = (check.errors ?? []).map(toViolation);
    throw new SchemaError({ path: [...path, 'default'], message: `The default does not fit: ${first.message}` });
  }
}

/** Subschemas with a default, as far as properties lead; elsewhere the compiler refuses defaults. */
function defaultsIn(schema: unknown, path: readonly string[]): { path: readonly string[]; value: unknown }[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {}, items, $defs = {} } = schema as Record<string, unknown>;
  const here = Object.hasOwn(schema, 'default') ? [{ path, value: (schema as { default: unknown }).default }] : [];
  return [
    ...here,
    ...Object.entries(properties as object).flatMap(([name, child]) =>
      defaultsIn(child, [...path, 'properties', name]),
    ),
    ...Object.entries($defs as object).flatMap(([name, child]) => defaultsIn(child, [...path, '$defs', name])),
    ...defaultsIn(items, [...path, 'items']),
  ];
}

/** RFC 6901, within a fragment. */
const encodePointer = (name: string): string => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));

const decodePointer = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));

function toViolation({ instancePath, keyword, params, message = 'does not fit' }: ErrorObject): Violation {
  const path = decodePointer(instancePath);
  const { missingProperty, additionalProperty, unevaluatedProperty, propertyName, allowedValues, allowedValue } =
    params as Partial<Record<string, unknown>>;
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return { path: [...path, String(missingProperty)], message: 'This field is missing.' };
    case 'additionalProperties':
      return { path: [...path, String(additionalProperty)], message: 'There is no such field.' };
    case 'unevaluatedProperties':
      return { path: [...path, String(unevaluatedProperty)], message: 'There is no such field.' };
    case 'propertyNames':
      return { path: [...path, String(propertyName)], message: 'A field cannot have this name.' };
    case 'enum':
      return { path, message: `Use one of ${shorten(JSON.stringify(allowedValues))}.` };
    case 'const':
      return { path, message: `Use ${shorten(JSON.stringify(allowedValue))}.` };
    default:
      return { path, message: `It ${message}.` };
  }
}

const shorten = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 200)}…`);
