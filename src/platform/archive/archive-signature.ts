/** Bytes that are enough for {@link looksLikeArchive}. */
export const ARCHIVE_HEAD_BYTES = 512;

/** Whether a file is packed itself: by its name, or by how its content begins. */
export function looksLikeArchive(path: string, head: Buffer): boolean {
  return NAMES.test(path) || SIGNATURES.some(([offset, signature]) => begins(head, offset, signature));
}

const NAMES =
  /\.(zip|zipx|jar|war|ear|apk|cbz|7z|rar|cbr|tar|tgz|tbz2?|txz|tzst|gz|bz2|xz|lzma|lz4?|zst|br|cab|arj|lha|lzh|ar|deb|rpm|iso|dmg|img)$/i;

const SIGNATURES: readonly (readonly [offset: number, signature: string])[] = [
  [0, 'PK\x03\x04'],
  [0, 'PK\x05\x06'],
  [0, 'PK\x07\x08'],
  [0, '7z\xbc\xaf\x27\x1c'],
  [0, 'Rar!\x1a\x07'],
  [0, '\x1f\x8b'],
  [0, '\x1f\x9d'],
  [0, 'BZh'],
  [0, '\xfd7zXZ\0'],
  [0, '\x28\xb5\x2f\xfd'],
  [0, '\x04\x22\x4d\x18'],
  [0, 'LZIP'],
  [0, 'MSCF'],
  [0, '!<arch>\n'],
  [0, 'xar!'],
  [257, 'ustar'],
];

function begins(head: Buffer, offset: number, signature: string): boolean {
  return head.toString('latin1', offset, offset + signature.length) === signature;
}
