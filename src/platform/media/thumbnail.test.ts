import { describe, expect, it } from 'vitest';
import { renderThumbnail } from './thumbnail.js';

/** Width and height from the start-of-frame segment (ITU-T T.81, B.2.2). */
function sizeOf(jpeg: Uint8Array): [number, number] {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  expect(view.getUint16(0)).toBe(0xffd8);
  for (let at = 2; at < jpeg.length; at += 2 + view.getUint16(at + 2)) {
    if (view.getUint16(at) === 0xffc0) return [view.getUint16(at + 7), view.getUint16(at + 5)];
  }
  throw new Error('There is no start of a frame');
}

const frame = (width: number, height: number) => ({
  index: 0,
  width,
  height,
  gray: Uint8Array.from({ length: width * height }, (_, at) => at % 256),
});

describe('renderThumbnail', () => {
  it.each<[number, number, [number, number]]>([
    [640, 480, [320, 240]],
    [480, 640, [240, 320]],
    [1000, 10, [320, 3]],
    [5000, 16, [320, 1]],
    [100, 50, [100, 50]],
    [321, 320, [320, 319]],
  ])('makes a picture of %i × %i fit', async (width, height, size) => {
    expect(sizeOf(await renderThumbnail(frame(width, height), 320))).toEqual(size);
  });

  it('makes the same bytes of the same frame', async () => {
    expect(await renderThumbnail(frame(400, 300), 320)).toEqual(await renderThumbnail(frame(400, 300), 320));
  });
});
