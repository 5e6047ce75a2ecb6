const SECRET_KEY =
  /pass(word|phrase)?$|secret|token$|authorization|cookie|private.?key|api.?key|database_?url|redis_?url/i;
const JWT = /\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g;
const URL_PASSWORD = /(\w+:\/\/[^\s:/@]*):[^\s/@]+@/g;
const HIDDEN = '[redacted]';

/** A copy in which values whose name or form says that they are secrets are hidden, at any depth. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.replace(JWT, HIDDEN).replace(URL_PASSWORD, `$1:${HIDDEN}@`);
  if (typeof value !== 'object' || value === null || depth > 6) return value;
  if (Array.isArray(value)) return value.map((member) => redact(member, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, redactMember(key, member, depth)]));
}

/** One named value of an object. */
export function redactMember(key: string, value: unknown, depth = 0): unknown {
  if (value === undefined || value === null) return value;
  return SECRET_KEY.test(key) ? HIDDEN : redact(value, depth + 1);
}
