import { PROBLEM_KINDS, type Problem, type ProblemCode } from './problem.contract.js';

/** The part of JSON Schema that examples are made from. */
interface Schema {
  $ref?: string;
  example?: unknown;
  examples?: readonly unknown[];
  default?: unknown;
  minimum?: number;
  const?: unknown;
  enum?: readonly unknown[];
  type?: string | readonly string[];
  properties?: Record<string, Schema>;
  required?: readonly string[];
  items?: Schema;
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  allOf?: readonly Schema[];
}

type Schemas = Readonly<Record<string, unknown>>;

interface Parameter {
  required?: boolean;
  example?: unknown;
  schema?: Schema;
}

interface Operation {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: object; example?: unknown } | undefined> };
}

/**
 * Gives every JSON body an example, and takes those of parameters that may be left out: Swagger UI would fill them in, and
 * a list filtered by an invented id is empty, a second request with an invented key refused. Done to the whole document,
 * since an example may follow references.
 */
export function setExamples({ paths = {}, components }: { paths?: object; components?: { schemas?: Schemas } }): void {
  const operations = Object.values(paths).flatMap((item: object) => Object.values(item) as Operation[]);
  for (const { parameters = [], requestBody } of operations) {
    for (const parameter of parameters.filter(({ required }) => required !== true)) {
      delete parameter.example;
      if (parameter.schema !== undefined) parameter.schema = { ...parameter.schema, example: undefined };
    }
    const media = requestBody?.content['application/json'];
    if (media !== undefined) media.example = exampleOf(media.schema, components?.schemas ?? {});
  }
}

/**
 * A body that can be sent as it stands, put together from the examples, defaults and choices of its fields. Fields that may
 * be left out are, unless they have an example of their own. Undefined where a field that is needed has none.
 */
export function exampleOf(schema: object, schemas: Schemas = {}): unknown {
  const resolved = resolve(schema, schemas);
  const told = [resolved.example, resolved.examples?.[0], resolved.const, resolved.default, resolved.enum?.[0]];
  const fixed = told.find((value) => value !== undefined);
  if (fixed !== undefined) return fixed;
  const [choice] = [...(resolved.anyOf ?? []), ...(resolved.oneOf ?? []), ...(resolved.allOf ?? [])];
  if (choice !== undefined) return exampleOf(choice, schemas);
  if (resolved.type === 'boolean') return false;
  if (resolved.type === 'integer') return resolved.minimum;
  if (resolved.type === 'array') return arrayExample(resolved, schemas);
  return resolved.type === 'object' ? objectExample(resolved, schemas) : undefined;
}

function arrayExample({ items }: Schema, schemas: Schemas): unknown {
  const item = items === undefined ? undefined : exampleOf(items, schemas);
  return item === undefined ? undefined : [item];
}

function objectExample({ properties = {}, required = [] }: Schema, schemas: Schemas): unknown {
  const fields: [string, unknown][] = [];
  for (const [name, schema] of Object.entries(properties)) {
    const { example: own, examples } = resolve(schema, schemas);
    const example = required.includes(name) ? exampleOf(schema, schemas) : (own ?? examples?.[0]);
    if (example !== undefined) fields.push([name, example]);
    else if (required.includes(name)) return undefined;
  }
  return Object.fromEntries(fields);
}

function resolve(schema: object, schemas: Schemas): Schema {
  const { $ref } = schema as Schema;
  if ($ref === undefined) return schema;
  const name = $ref.slice('#/components/schemas/'.length);
  return { ...(schemas[name] as Schema), ...schema };
}

/** What the answer looks like when this goes wrong. */
export function problemExample(code: ProblemCode): Problem {
  const { title, status, retryable } = PROBLEM_KINDS[code];
  const errors = code === 'validation-failed' ? [{ path: 'name', message: 'A name cannot be empty.' }] : [];
  return {
    type: `urn:infernode:problem:${code}`,
    title,
    status,
    detail: errors.length === 0 ? `${title}.` : 'name: A name cannot be empty.',
    instance: '/api/dataset',
    code,
    retryable,
    requestId: '8d3c6a1e-52d1-4a7e-9f1b-2f0f6a0c9b11',
    errors,
    ...(code === 'insufficient-credits' ? { required: 10, balance: 3 } : {}),
  };
}
