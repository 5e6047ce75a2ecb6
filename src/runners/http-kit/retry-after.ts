/** What a server asks for beyond this is cut: it must not hold itself back for ever. */
const LONGEST_SECONDS = 3600;

/**
 * Seconds that a `Retry-After` header asks for (RFC 9110 section 10.2.3: seconds, or a date), between 0 and an hour.
 *
 * @param date the answer's own `Date` header: by its clock the server reckons, and it may be wrong
 * @returns undefined when there is no header, or one that says nothing
 */
export function parseRetryAfter(header: string | null, date: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,15}$/.test(text)) return clamp(Number(text));
  // What a date does not begin with, Date.parse reads in its own ways ("-5" is a year).
  if (!/^[A-Za-z]{3}/.test(text)) return undefined;
  const wanted = Date.parse(text);
  if (Number.isNaN(wanted)) return undefined;
  const stated = Date.parse(date ?? '');
  return clamp(Math.ceil((wanted - (Number.isNaN(stated) ? now.getTime() : stated)) / 1000));
}

function clamp(seconds: number): number {
  return Math.min(Math.max(seconds, 0), LONGEST_SECONDS);
}
