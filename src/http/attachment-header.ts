/** What a file name cannot carry to the disks of this world: folders, streams, wildcards. */
const UNSAFE = /[/\\:*?"<>|]/g;
const NOT_PLAIN = /[^\x20-\x7e]|%/g;
/** What `encodeURIComponent` leaves although RFC 8187 section 3.2.1 does not allow it. */
const NOT_ALLOWED = /['()*]/g;

/**
 * The Content-Disposition of a download (RFC 6266): the name as it is for clients that know `filename*`, and one of plain
 * characters for all others.
 * @param name without control characters
 */
export function attachmentHeader(name: string): string {
  const safe = name.replaceAll(UNSAFE, '_').replace(/^\.+/, '_');
  const encoded = encodeURIComponent(safe).replaceAll(
    NOT_ALLOWED,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${safe.replaceAll(NOT_PLAIN, '_')}"; filename*=UTF-8''${encoded}`;
}
