import { invalidField } from './app-error.js';

export interface PageRequest {
  limit: number;
  /** Of the page before; left out for the first. */
  cursor?: string | undefined;
}

export interface Page<T> {
  items: T[];
  /** Null on the last page. */
  nextCursor: string | null;
}

/**
 * Cuts a page out of rows that were read with one more than its limit, which tells whether another page follows.
 * @param keyOf the row's values of the columns that the list is ordered by
 */
export function cutPage<Row, T>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly string[],
  present: (row: Row) => T,
): Page<T> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { items: page.map(present), nextCursor };
}

const SEPARATOR = '|';

const encodeCursor = (key: readonly string[]): string => Buffer.from(key.join(SEPARATOR)).toString('base64url');

/**
 * @param shapes what each part of the key looks like, as whole-string patterns
 * @throws AppError validation-failed for a text that no list has given
 */
export function decodeCursor(cursor: string, shapes: readonly RegExp[]): string[] {
  const key = Buffer.from(cursor, 'base64url').toString('latin1').split(SEPARATOR);
  if (key.length !== shapes.length || !key.every((part, index) => shapes[index].test(part))) {
    throw invalidField('cursor', 'This is not a cursor that a list has given.');
  }
  return key;
}

/** Key of a `bigint` column. */
export const NUMBER_KEY = /^\d{1,18}$/;
/** Key of a `uuid` column. */
export const UUID_KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
