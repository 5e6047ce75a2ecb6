import { PROBLEM_KINDS, type ProblemCode } from '../contract/problem.contract.js';

export interface FieldError {
  /** Dotted path of the field in the request, e.g. `parameters.endFrame`. */
  path: string;
  message: string;
}

interface AppErrorOptions {
  cause?: unknown;
  errors?: readonly FieldError[];
  /** Members beyond the standard ones (RFC 9457 section 3.2). */
  extensions?: Readonly<Record<string, number | string>>;
  headers?: Readonly<Record<string, string>>;
}

/** An outcome that is the caller's to know. Anything else that is thrown answers 500 and is logged. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly status: number;
  readonly errors: readonly FieldError[];
  readonly extensions: Readonly<Record<string, number | string>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    detail: string,
    options: AppErrorOptions = {},
  ) {
    super(detail, { cause: options.cause });
    this.status = PROBLEM_KINDS[code].status;
    this.errors = options.errors ?? [];
    this.extensions = options.extensions ?? {};
    this.headers = options.headers ?? {};
  }
}

export const notFound = (what: string): AppError => new AppError('not-found', `There is no such ${what}.`);

export const invalidField = (path: string, message: string): AppError =>
  new AppError('validation-failed', `${path}: ${message}`, { errors: [{ path, message }] });
