import type { z } from 'zod';
import { AppError, type FieldError } from '../platform/app-error.js';

/** A request full of mistakes is told about so many of them. */
const MAX_ERRORS = 20;
const MAX_NAME = 100;

export function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.slice(0, MAX_ERRORS + 1).map((key) => ({
    path: path === '' ? key : `${path}.${key}`,
    message: 'There is no such field.',
  }));
}

export function validationFailed(errors: readonly FieldError[]): AppError {
  const shown = errors.slice(0, MAX_ERRORS).map(({ path, message }) => ({ path: path.slice(0, MAX_NAME), message }));
  const [first] = shown;
  const what = first.path === '' ? first.message : `${first.path}: ${first.message}`;
  const detail = errors.length === 1 ? what : `${what} (and ${errors.length - 1} more)`;
  return new AppError('validation-failed', detail, { errors: shown });
}
