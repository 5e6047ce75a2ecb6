import type { GrayFrame } from './textured-frame.js';

/** @throws Error for anything but a binary PGM of 8 bits without comments */
export function readPortableGraymap(file: Buffer): GrayFrame {
  const header = /^P5\n(\d+) (\d+)\n255\n/.exec(file.toString('latin1', 0, 32));
  if (header === null) throw new Error('Not a binary PGM file');
  return { gray: file.subarray(header[0].length), width: Number(header[1]), height: Number(header[2]) };
}
