import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/**
 * SHA-256 of some members of an object, in hexadecimal digits, whatever their order and the white space between them:
 * of its canonical JSON (RFC 8785) in UTF-8.
 * @throws TypeError for what JSON cannot hold
 */
export function digestOfMembers(value: object, members: readonly string[]): string {
  const picked = Object.fromEntries(Object.entries(value).filter(([name]) => members.includes(name)));
  const text = canonicalize(picked);
  if (text === undefined) throw new TypeError('The value has no JSON form.');
  return createHash('sha256').update(text).digest('hex');
}
