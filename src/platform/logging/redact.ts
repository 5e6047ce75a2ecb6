const SECRET_KEY = /pass(word|phrase)?$|secret|token$|authorization|cookie|private.?key|api.?key|database_?url|redis_?url/i;
const JWT = /\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g;
const URL_PASSWORD = /(\w+:\/\/[^\s:/@]*):[^\s/@]+@/g;
const HIDDEN = '[redacted]';

/** Hides values whose name or form says that they are secrets, at any depth; changes `value` in place where it can. */
export function redact<T>(value: T, depth = 0): T {
  if (typeof value === 'string') return value.replace(JWT, HIDDEN).replace(URL_PASSWORD, `$1:${HIDDEN}@`) as T;
  if (typeof value !== 'object' || value === null || depth > 6) return value;
  for (const [key, member] of Object.entries(value)) {
    const hidden = SECRET_KEY.test(key) && member !== undefined && member !== null ? HIDDEN : redact(member, depth + 1);
    if (hidden !== member) Object.assign(value, { [key]: hidden });
  }
  return value;
}
