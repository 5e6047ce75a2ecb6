import { linearPattern } from './linear-pattern.js';

/** What a schema breaks, and where. */
export interface SchemaFlaw {
  /** Members on the way to it, from the root of the schema. */
  path: readonly string[];
  message: string;
}

/** Bytes of a schema as JSON. */
export const MAX_SCHEMA_BYTES = 32 * 1024;
const MAX_DEPTH = 16;
/** Subschemas that a value may have to be held against, counted as often as references lead to them. */
const MAX_CHECKS = 1_000;
/** Items are compared in pairs. */
const MAX_UNIQUE_ITEMS = 1_000;

const SCHEMA_MEMBERS = [
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
] as const;
const SCHEMA_LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'] as const;
const SCHEMA_MAPS = ['$defs', 'dependentSchemas', 'patternProperties', 'properties'] as const;

/** They would make two schemas one, or let a schema reach beyond itself. */
const FOREIGN_MEMBERS = ['$anchor', '$dynamicAnchor', '$dynamicRef', '$id', '$vocabulary', 'definitions'] as const;

export const DRAFT_2020_12 = 'https://json-schema.org/draft/2020-12/schema';

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

class Flawed extends Error {
  constructor(readonly flaw: SchemaFlaw) {
    super(flaw.message);
  }
}

/**
 * Holds a schema that somebody else wrote against what keeps its use cheap: bounded size and depth, references within
 * itself and never in a circle, patterns of linear time. Whether it is a valid schema is for the compiler to say.
 * @returns the first flaw; null when there is none
 */
export function findSchemaFlaw(schema: Members): SchemaFlaw | null {
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > MAX_SCHEMA_BYTES) return { path: [], message: `A schema has at most ${MAX_SCHEMA_BYTES} bytes.` };
  try {
    if (schema['$schema'] !== undefined && schema['$schema'] !== DRAFT_2020_12) {
      return { path: ['$schema'], message: `Only JSON Schema 2020-12 is understood: ${DRAFT_2020_12}` };
    }
    const checks = new Walk(schema).checksOf(schema, []);
    if (checks <= MAX_CHECKS) return null;
    return {
      path: [],
      message: `A value would have to be held against ${checks} subschemas; ${MAX_CHECKS} are allowed.`,
    };
  } catch (error) {
    if (error instanceof Flawed) return error.flaw;
    throw error;
  }
}

class Walk {
  /** By reference; null while it is being counted: whoever meets that has come back to where it was. */
  private readonly counted = new Map<string, number | null>();

  constructor(private readonly root: Members) {}

  /** Subschemas that a value is held against here, those behind references as often as they are referred to. */
  checksOf(schema: unknown, path: readonly string[]): number {
    if (path.length > MAX_DEPTH * 2) throw new Flawed({ path, message: `A schema has at most ${MAX_DEPTH} levels.` });
    if (!isObject(schema)) return 1;
    checkMembers(schema, path);
    let checks = 1;
    for (const [name, child] of childrenOf(schema)) checks += this.checksOf(child, [...path, ...name]);
    const { $ref: reference } = schema;
    if (reference !== undefined) checks += this.checksBehind(reference, [...path, '$ref']);
    return Math.min(checks, Number.MAX_SAFE_INTEGER);
  }

  private checksBehind(reference: unknown, path: readonly string[]): number {
    const name = typeof reference === 'string' ? /^#\/\$defs\/([A-Za-z0-9_-]+)$/.exec(reference)?.[1] : undefined;
    const definitions = this.root['$defs'];
    if (name === undefined || !isObject(definitions) || !Object.hasOwn(definitions, name)) {
      throw new Flawed({ path, message: 'A reference leads to a definition of the same schema: "#/$defs/name".' });
    }
    const known = this.counted.get(name);
    if (known === null) throw new Flawed({ path, message: 'References must not lead back to where they start.' });
    if (known !== undefined) return known;
    this.counted.set(name, null);
    const checks = this.checksOf(definitions[name], ['$defs', name]);
    this.counted.set(name, checks);
    return checks;
  }
}

function childrenOf(schema: Members): [string[], unknown][] {
  const children: [string[], unknown][] = SCHEMA_MEMBERS.map((name) => [[name], schema[name]]);
  for (const name of SCHEMA_LISTS) {
    const list = schema[name];
    if (Array.isArray(list)) list.forEach((child, index) => children.push([[name, String(index)], child]));
  }
  for (const name of SCHEMA_MAPS) {
    const map = schema[name];
    if (isObject(map)) for (const [key, child] of Object.entries(map)) children.push([[name, key], child]);
  }
  return children.filter(([, child]) => child !== undefined);
}

function checkMembers(schema: Members, path: readonly string[]): void {
  const foreign = FOREIGN_MEMBERS.find((name) => Object.hasOwn(schema, name));
  if (foreign !== undefined) {
    throw new Flawed({ path: [...path, foreign], message: 'Schemas that name themselves or others are not accepted.' });
  }
  const { pattern, patternProperties, uniqueItems, maxItems } = schema;
  if (typeof pattern === 'string') checkPattern(pattern, [...path, 'pattern']);
  for (const name of isObject(patternProperties) ? Object.keys(patternProperties) : []) {
    checkPattern(name, [...path, 'patternProperties', name]);
  }
  if (uniqueItems === true && !(typeof maxItems === 'number' && maxItems <= MAX_UNIQUE_ITEMS)) {
    const message = `Beside "uniqueItems" a "maxItems" of at most ${MAX_UNIQUE_ITEMS} is needed.`;
    throw new Flawed({ path: [...path, 'uniqueItems'], message });
  }
}

function checkPattern(pattern: string, path: readonly string[]): void {
  try {
    linearPattern(pattern);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Flawed({ path, message: error.message });
  }
}
