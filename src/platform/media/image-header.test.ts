import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../../tests/support/build.js';
import { readImageHeader } from './image-header.js';

const picture = (name: string) => readFile(fixture(`media/picture.${name}`));

describe('readImageHeader', () => {
  it.each(['jpg', 'png'])(
    'reads format and size of a picture.%s from its first bytes, however few arrive',
    async (name) => {
      const bytes = await picture(name);
      const expected = { format: name === 'jpg' ? 'jpeg' : 'png', width: 32, height: 32 };
      expect(readImageHeader(bytes)).toEqual(expected);
      const answers = Array.from({ length: 60 }, (_, index) => readImageHeader(bytes.subarray(0, 8 + index * 16)));
      expect(answers.filter((answer) => answer === null)).toEqual([]);
      expect(answers.at(-1)).toEqual(expected);
    },
  );

  it.each(['bmp', 'gif', 'tiff', 'webp'])('knows nothing of a picture.%s', async (name) => {
    expect(readImageHeader(await picture(name))).toBeNull();
  });

  it('looks behind segments of any size, and behind fill bytes', () => {
    const segment = Buffer.alloc(2 + 65_535);
    segment.writeUInt16BE(0xffe1, 0);
    segment.writeUInt16BE(65_535, 2);
    const frame = Buffer.from('ffffffc0001108004000600300', 'hex');
    const start = Buffer.from('ffd8', 'hex');
    expect(readImageHeader(Buffer.concat([start, segment, segment]))).toBe('more');
    const whole = Buffer.concat([start, segment, segment, frame]);
    expect(readImageHeader(whole)).toEqual({ format: 'jpeg', width: 96, height: 64 });
  });

  it.each([
    ['no picture at all', 'hello'],
    ['a PNG whose first chunk is none of a PNG', '\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\0\0\0\x10\0\0\0\x10'],
    ['a PNG without pixels', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\x10'],
    ['a JPEG with nonsense between segments', '\xff\xd8\xff\xe0\0\x04abXXXXXXXXXXXX'],
    ['a JPEG whose picture comes before its size', '\xff\xd8\xff\xda\0\x04abXXXXXXXX'],
    ['a JPEG with a segment of no length', '\xff\xd8\xff\xe0\0\0XXXXXXXXX'],
  ])('is not led on by %s', (_name, bytes) => {
    expect(readImageHeader(Buffer.from(bytes, 'latin1'))).toBeNull();
  });
});
