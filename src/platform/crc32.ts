import * as zlib from 'node:zlib';

/** Remainders of the bytes by the polynomial 0x04C11DB7, bits reversed. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  return remainder;
});

/** By a table, for Node.js before 20.15. */
export function tableCrc32(bytes: Uint8Array, before = 0): number {
  let remainder = ~before;
  for (const byte of bytes) remainder = TABLE[(remainder ^ byte) & 0xff] ^ (remainder >>> 8);
  return ~remainder >>> 0;
}

/**
 * The checksum of ZIP and PNG (ISO 3309).
 * @param before checksum of what came before `bytes`
 */
export const crc32: (bytes: Uint8Array, before?: number) => number = (zlib as Partial<typeof zlib>).crc32 ?? tableCrc32;
