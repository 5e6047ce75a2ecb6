import { BaseError, ForeignKeyConstraintError, UniqueConstraintError } from 'sequelize';

/** SQLSTATEs after which the same transaction may simply be run again. */
const RERUN = new Set(['40001', '40P01']);

/** SQLSTATE classes and codes of a database that cannot be reached or is going away. */
const UNAVAILABLE = /^(08|57P0|53)/;
/** What the driver says without a SQLSTATE: no connection, a broken one, or no answer in time. */
const UNAVAILABLE_MESSAGES =
  /Connection terminated|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOENT.*\.s\.PGSQL|Query read timeout|not queryable|timeout exceeded when trying to connect|timeout expired/;
const CONNECTION_ERRORS = /^SequelizeConnection|^SequelizeHostNot|^SequelizeAccessDenied/;

export function sqlState(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = parentOf(current)) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

function parentOf(error: Error): unknown {
  return (error as { parent?: unknown }).parent ?? error.cause;
}

/** Tells whether `error` is the violation of exactly this unique index. */
export function violatesUnique(error: unknown, index: string): boolean {
  if (!(error instanceof UniqueConstraintError)) return false;
  return (error.parent as { constraint?: unknown }).constraint === index;
}

/** Tells whether `error` says that a row is still referred to, or refers to one that is not there. */
export function violatesForeignKey(error: unknown): boolean {
  return error instanceof ForeignKeyConstraintError;
}

export function mayRunAgain(error: unknown): boolean {
  return RERUN.has(sqlState(error) ?? '');
}

/** Tells whether the database, not the statement, is the trouble. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof BaseError && CONNECTION_ERRORS.test(error.name)) return true;
  const state = sqlState(error);
  if (state !== undefined) return UNAVAILABLE.test(state);
  return error instanceof Error && UNAVAILABLE_MESSAGES.test(error.message);
}
