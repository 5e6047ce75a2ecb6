import { AppError } from '../platform/app-error.js';

interface EntityTag {
  /** What stands between its quotes. */
  opaque: string;
  isWeak: boolean;
}

/** One element of a list of entity tags, which may be empty (RFC 9110 sections 5.6.1 and 8.8.3). */
const ELEMENT = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y;

/**
 * What an `If-Match` header asks for (RFC 9110 section 13.1.1).
 * @returns the opaque parts of its strong tags, since a weak one never matches; null where any state will do: without
 *   the header, and for `*`
 * @throws AppError malformed-request
 */
export function parseIfMatch(header: string | undefined): readonly string[] | null {
  if (header === undefined || header.trim() === '*') return null;
  const tags = parseTags(header);
  if (tags === null || tags.length === 0) {
    throw new AppError('malformed-request', 'If-Match takes entity tags in quotes, separated by commas, or *.');
  }
  return tags.filter(({ isWeak }) => !isWeak).map(({ opaque }) => opaque);
}

/**
 * Tells from an `If-None-Match` header (RFC 9110 section 13.1.2) whether the caller has what `etag` stands for. One that
 * cannot be read is no reason to refuse an answer.
 */
export function isKnownToCaller(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const [current] = parseTags(etag) ?? [];
  return parseTags(header)?.some(({ opaque }) => opaque === current?.opaque) ?? false;
}

/** @returns null when it is no list of entity tags */
function parseTags(list: string): EntityTag[] | null {
  const tags: EntityTag[] = [];
  ELEMENT.lastIndex = 0;
  while (ELEMENT.lastIndex < list.length) {
    const [whole, weak, opaque] = ELEMENT.exec(list) ?? [];
    if (whole === undefined) return null;
    if (opaque !== undefined) tags.push({ opaque, isWeak: weak !== undefined });
  }
  return tags;
}
