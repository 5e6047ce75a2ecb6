const SECRET_KEY =
  /pass(word|phrase)?$|secret|token$|authorization|cookie|private.?key|api.?key|database_?url|redis_?url/i;

/**
 * The patterns are bounded, and longer text is cut before they see it: what a stranger sends is logged too, and must not
 * be able to keep the process busy.
 */
const JWT = /\beyJ[\w-]{5,2000}\.[\w-]{1,4000}\.[\w-]{0,1000}/g;
/** API keys, refresh tokens and secrets of webhooks. */
const OPAQUE_TOKEN = /\b(?:in[kr]_[\w-]{20,200}|whsec_[\w+/-]{20,200}={0,2})/g;
const URL_PASSWORD = /(\b\w{1,20}:\/\/[^\s:/@]{0,200}):[^\s/@]{1,500}@/g;
const MAX_TEXT = 4096;
const MAX_ITEMS = 50;
const MAX_DEPTH = 6;
const HIDDEN = '[redacted]';

/** A bounded copy in which values whose name or form says that they are secrets are hidden, at any depth. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((member) => redact(member, depth + 1));
  const members = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(members.map(([key, member]) => [redactText(key), redactMember(key, member, depth)]));
}

/** One named value of an object. */
export function redactMember(key: string, value: unknown, depth = 0): unknown {
  if (value === undefined || value === null) return value;
  return SECRET_KEY.test(key) ? HIDDEN : redact(value, depth + 1);
}

function redactText(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…(${text.length} characters)` : text;
  return short.replace(JWT, HIDDEN).replace(OPAQUE_TOKEN, HIDDEN).replace(URL_PASSWORD, `$1:${HIDDEN}@`);
}
