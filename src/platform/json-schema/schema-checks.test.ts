import { describe, expect, it } from 'vitest';
import { SchemaError } from './compile-schema.js';
import { SchemaChecks } from './schema-checks.js';

const schemaOf = (least: number) => ({ type: 'object', properties: { a: { type: 'number', minimum: least } } });

describe('SchemaChecks', () => {
  it('compiles equal schemas once, and keeps those used last', () => {
    const checks = new SchemaChecks(2);
    const first = checks.of(schemaOf(1));
    checks.of(schemaOf(2));
    expect(checks.of(schemaOf(1))).toBe(first);
    checks.of(schemaOf(3));
    expect(checks.size).toBe(2);
    expect(checks.of(schemaOf(1))).toBe(first);
    expect(first({ a: 0 })).toHaveLength(1);
  });

  it('keeps nothing of a schema that is none', () => {
    const checks = new SchemaChecks(2);
    expect(() => checks.of({ type: 'nonsense' })).toThrow(SchemaError);
    expect(checks.size).toBe(0);
  });
});
