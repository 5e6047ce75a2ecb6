import { createHash } from 'node:crypto';
import { compileSchema, type SchemaCheck } from './compile-schema.js';

/** Compiled checks, by the digest of their schema; those used last stay. */
export class SchemaChecks {
  private readonly checks = new Map<string, SchemaCheck>();

  /** @param most how many are kept */
  constructor(private readonly most: number) {}

  /** @throws SchemaError */
  of(schema: Readonly<Record<string, unknown>>): SchemaCheck {
    const digest = createHash('sha256').update(JSON.stringify(schema)).digest('base64');
    const check = this.checks.get(digest) ?? compileSchema(schema);
    // Again at the end: a map keeps the order in which it was filled.
    this.checks.delete(digest);
    this.checks.set(digest, check);
    const [oldest] = this.checks.keys();
    if (this.checks.size > this.most) this.checks.delete(oldest);
    return check;
  }

  get size(): number {
    return this.checks.size;
  }
}
