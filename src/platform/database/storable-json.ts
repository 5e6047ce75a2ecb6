/** @returns members on the way to the first part of a JSON value that PostgreSQL cannot keep; null when it can keep all */
export function findUnstorable(value: unknown, path: readonly string[] = []): readonly string[] | null {
  if (typeof value === 'string') return isStorable(value) ? null : path;
  // JSON text can say 1e999, which is read as infinity and would be written as null.
  if (typeof value === 'number') return Number.isFinite(value) ? null : path;
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, child] of Object.entries(value)) {
    const found = isStorable(name) ? findUnstorable(child, [...path, name]) : [...path, name];
    if (found !== null) return found;
  }
  return null;
}

/** Neither NUL nor half a surrogate pair is text to PostgreSQL. */
const isStorable = (text: string): boolean => !/\0|\p{Cs}/u.test(text);

/** What nobody here has written, as text that PostgreSQL can keep: what it cannot becomes U+FFFD. */
export const toStorableText = (text: string): string => text.replace(/\0|\p{Cs}/gu, '\ufffd');
