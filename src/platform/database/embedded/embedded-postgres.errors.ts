/** The embedded PostgreSQL cannot run; the message is one line, names what is wrong and what to do. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Another live process runs, or is just starting, the server of this data directory. */
export class EmbeddedPostgresInUseError extends EmbeddedPostgresError {}

/** The data was written by another major version of PostgreSQL than the one installed. */
export class PostgresVersionError extends EmbeddedPostgresError {}

/** The code of a system error (`ENOENT`, ...) or of a database error (`42P04`, ...), if it has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
