import { invalidField } from '../../platform/app-error.js';
import { COMMON_PASSWORDS } from './common-passwords.js';

/** The field's own checks (length, bytes) have passed. @throws AppError validation-failed for what guessers try first */
export function requireGoodPassword(password: string, email: string, field: string): void {
  const problem = problemOf(password.toLowerCase(), email);
  if (problem !== null) throw invalidField(field, problem);
}

function problemOf(password: string, email: string): string | null {
  if (password === email || password === email.split('@')[0]) {
    return 'The password cannot be the email address or its name.';
  }
  if (/^(.{1,3})\1+$/u.test(password)) return 'The password repeats itself; choose one that is harder to guess.';
  // Where the end is all that was changed, a guesser changes it too.
  const word = password.replace(/[^\p{L}]+$/u, '');
  return COMMON_PASSWORDS.has(password) || COMMON_PASSWORDS.has(word)
    ? 'This password is one of the most common; choose one that is harder to guess.'
    : null;
}
