import { crc32 } from '../../src/platform/crc32.js';
import { deflateSync } from 'node:zlib';

export interface GrayImage {
  width: number;
  height: number;
  /** Row-major, one byte each. */
  pixels: Uint8Array;
}

/** A pattern that no other `seed` gives. */
export function grayImage(seed: number, width = 32, height = 24): GrayImage {
  const pixels = Uint8Array.from(
    { length: width * height },
    (_, index) => (index * 7 + seed * 31 + (index >> 3)) & 0xff,
  );
  return { width, height, pixels };
}

/** An 8-bit grey PNG: decoding it gives these very pixels. */
export function pngOf({ width, height, pixels }: GrayImage): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const rows = Array.from({ length: height }, (_, row) =>
    Buffer.concat([Buffer.from([0]), pixels.subarray(row * width, (row + 1) * width)]),
  );
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
