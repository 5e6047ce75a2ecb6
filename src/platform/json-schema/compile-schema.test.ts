import { describe, expect, it } from 'vitest';
import { compileSchema, SchemaError } from './compile-schema.js';

type Schema = Record<string, unknown>;

const object = (properties: Schema, rest: Schema = {}): Schema => ({ type: 'object', properties, ...rest });

function flawOf(schema: Schema): { path: string; message: string } {
  try {
    compileSchema(schema);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return { path: error.flaw.path.join('.'), message: error.flaw.message };
  }
  throw new Error('The schema was accepted');
}

const violationsOf = (schema: Schema, value: unknown) =>
  compileSchema(schema)(value).map(({ path, message }) => [path.join('.'), message]);

describe('compileSchema', () => {
  it('tells every mistake of a value, and where it is', () => {
    const schema = object(
      {
        gain: { type: 'number', exclusiveMinimum: 0 },
        mode: { enum: ['fast', 'exact'] },
        kind: { const: 'drift' },
        window: { type: 'array', items: { type: 'integer' }, minItems: 2, uniqueItems: true, maxItems: 9 },
        nested: object({ a: { type: 'string', pattern: '^x' } }, { required: ['a'], additionalProperties: false }),
      },
      { required: ['seed'], additionalProperties: false },
    );
    expect(
      violationsOf(schema, {
        gain: 0,
        mode: 'slow',
        kind: 'other',
        window: [1, 'b'],
        nested: { b: 1 },
        'odd/na~me': 1,
      }).sort(),
    ).toEqual([
      ['gain', 'It must be > 0.'],
      ['kind', 'Use "drift".'],
      ['mode', 'Use one of ["fast","exact"].'],
      ['nested.a', 'This field is missing.'],
      ['nested.b', 'There is no such field.'],
      ['odd/na~me', 'There is no such field.'],
      ['seed', 'This field is missing.'],
      ['window.1', 'It must be integer.'],
    ]);
    expect(violationsOf(schema, { seed: 1, nested: { a: 'y' } })).toEqual([
      ['seed', 'There is no such field.'],
      ['nested.a', 'It must match pattern "^x".'],
    ]);
  });

  it('fills defaults in, each time anew', () => {
    const check = compileSchema(object({ gain: { type: 'number', default: 2 }, list: { type: 'array', default: [] } }));
    const [first, second]: Schema[] = [{}, { gain: 3 }];
    expect([check(first), check(second)]).toEqual([[], []]);
    expect([first, second]).toEqual([
      { gain: 2, list: [] },
      { gain: 3, list: [] },
    ]);
    expect(first['list']).not.toBe(second['list']);
  });

  it('checks formats that are known, and numbers that are numbers', () => {
    const schema = object({ day: { type: 'string', format: 'date' }, gain: { type: 'number' } });
    expect(
      violationsOf(schema, { day: '2026-02-29', gain: Infinity })
        .map(([path]) => path)
        .sort(),
    ).toEqual(['day', 'gain']);
    expect(flawOf(object({ day: { type: 'string', format: 'regex' } })).message).toContain('unknown format "regex"');
  });

  it('follows references within the schema', () => {
    const schema = object(
      { from: { $ref: '#/$defs/point' }, to: { $ref: '#/$defs/point' } },
      { $defs: { point: object({ x: { type: 'number' } }, { required: ['x'] }) } },
    );
    expect(violationsOf(schema, { from: { x: 1 }, to: {} })).toEqual([['to.x', 'This field is missing.']]);
  });

  it.each<[string, Schema, string]>([
    ['an unknown keyword', object({ gain: { type: 'number', minimun: 0 } }), 'minimun'],
    ['a wrong type', object({ gain: { type: 'float' } }), 'type'],
    ['a bound without its type', object({ gain: { minimum: 0 } }), 'missing type'],
    [
      'a default that is passed over',
      { type: 'object', anyOf: [object({ a: { type: 'number', default: 1 } })] },
      'default',
    ],
    ['another draft', { ...object({}), $schema: 'http://json-schema.org/draft-07/schema#' }, '2020-12'],
    ['a name', { ...object({}), $id: 'https://example.com/a' }, 'name themselves'],
    ['a reference to elsewhere', object({ a: { $ref: 'https://example.com/a' } }), 'definition of the same'],
    ['a reference to the file system', object({ a: { $ref: 'file:///etc/passwd' } }), 'definition of the same'],
    ['a reference to nothing', object({ a: { $ref: '#/$defs/b' } }), 'definition of the same'],
    ['a reference by another way', object({ a: { $ref: '#/properties/b' }, b: {} }), 'definition of the same'],
    ['a dynamic reference', object({ a: { $dynamicRef: '#a' } }), 'name themselves'],
  ])('refuses %s', (_what, schema, message) => {
    expect(flawOf(schema).message).toContain(message);
  });

  it('names the place of a pattern that is not linear, and of a default that does not fit', () => {
    expect(flawOf(object({ a: { type: 'string', pattern: '(?=x)' } })).path).toBe('properties.a.pattern');
    const map = { type: 'object', patternProperties: { '(a)\\1': {} } };
    expect(flawOf(object({ a: map })).path).toBe('properties.a.patternProperties.(a)\\1');
    expect(flawOf(object({ a: { type: 'integer', default: 'x' } }))).toEqual({
      path: 'properties.a.default',
      message: 'The default does not fit: It must be integer.',
    });
    const nested = object({
      a: { type: 'object', properties: { b: { type: 'string', maxLength: 1, default: 'xy' } } },
    });
    expect(flawOf(nested).path).toBe('properties.a.properties.b.default');
    expect(flawOf(object({ a: { type: 'array', uniqueItems: true } })).path).toBe('properties.a.uniqueItems');
  });

  it('refuses what would cost too much: circles, explosions, depth, size', () => {
    const circle = object(
      { a: { $ref: '#/$defs/a' } },
      { $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
    );
    expect(flawOf(circle).message).toContain('lead back');
    const doubling = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [
        `d${n}`,
        { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
      ]),
    );
    expect(flawOf(object({ a: { $ref: '#/$defs/d0' } }, { $defs: { ...doubling, d60: {} } })).message).toContain(
      'subschemas',
    );
    let deep: Schema = {};
    for (let level = 0; level < 40; level++) deep = { type: 'array', items: deep };
    expect(flawOf(object({ a: deep })).message).toContain('levels');
    expect(flawOf(object({ a: { description: 'x'.repeat(40_000) } })).message).toContain('bytes');
  });

  it('knows nothing of what is not the value’s own', () => {
    const schema = object({ gain: { type: 'number' } }, { additionalProperties: false, required: ['constructor'] });
    expect(violationsOf(schema, {})).toEqual([['constructor', 'This field is missing.']]);
    expect(
      violationsOf(schema, JSON.parse('{"__proto__": {"gain": "x"}, "constructor": 1}'))
        .map(([path]) => path)
        .sort(),
    ).toEqual(['__proto__', 'constructor']);
  });
});
