import { describe, expect, it } from 'vitest';
import { crc32, tableCrc32 } from './crc32.js';

describe.each([
  ['of this Node.js', crc32],
  ['by a table', tableCrc32],
])('crc32 %s', (_name, checksum) => {
  it('gives the check value of the standard, in one piece and in two', () => {
    expect(checksum(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(checksum(Buffer.from('6789'), checksum(Buffer.from('12345')))).toBe(0xcbf43926);
    expect(checksum(Buffer.alloc(0))).toBe(0);
  });
});
