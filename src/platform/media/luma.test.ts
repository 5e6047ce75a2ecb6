import { beforeAll, describe, expect, it } from 'vitest';
import { grayTable, LumaConverter, lumaLayout, type LumaPlane } from './luma.js';
import { orientationOf, UPRIGHT } from './orientation.js';

describe('grayTable', () => {
  it('stretches 8-bit limited range and clamps what lies outside', () => {
    const table = grayTable({ bits: 8, isFullRange: false });
    expect([0, 16, 17, 125, 126, 235, 255].map((sample) => table[sample])).toEqual([0, 0, 1, 127, 128, 255, 255]);
  });

  it('leaves 8-bit full range as it is', () => {
    const table = grayTable({ bits: 8, isFullRange: true });
    expect(table).toEqual(Uint8Array.from({ length: 256 }, (_, sample) => sample));
  });

  it('scales deeper samples down to 8 bits', () => {
    const limited = grayTable({ bits: 10, isFullRange: false });
    expect([64, 502, 940].map((sample) => limited[sample])).toEqual([0, 128, 255]);
    const full = grayTable({ bits: 12, isFullRange: true });
    expect([0, 2048, 4095].map((sample) => full[sample])).toEqual([0, 128, 255]);
  });
});

describe('lumaLayout', () => {
  it('knows planar formats and leaves colour formats to the converter', () => {
    expect(lumaLayout('yuv420p')).toEqual({ bits: 8, isFullRange: false });
    expect(lumaLayout('yuvj422p')).toEqual({ bits: 8, isFullRange: true });
    expect(lumaLayout('yuv444p12le')).toEqual({ bits: 12, isFullRange: false });
    expect(lumaLayout('nv12')).toEqual({ bits: 8, isFullRange: false });
    expect(lumaLayout('gray10le')).toEqual({ bits: 10, isFullRange: true });
    for (const name of ['gbrp', 'rgb24', 'p010le', 'yuyv422', 'yuv420p10be', 'pal8', '']) {
      expect(lumaLayout(name), name).toBeUndefined();
    }
  });
});

describe('LumaConverter', () => {
  let converter: LumaConverter;
  beforeAll(async () => {
    converter = await LumaConverter.create();
  });

  const full = { bits: 8, isFullRange: true };
  const pixels = (plane: LumaPlane) => [...converter.toGray(plane, UPRIGHT)];

  it('drops the padding at the end of rows', () => {
    const bytes = Uint8Array.of(1, 2, 99, 99, 3, 4);
    expect(pixels({ bytes, stride: 4, width: 2, height: 2, ...full })).toEqual([1, 2, 3, 4]);
  });

  it('reads deep samples as little endian, and ones beyond their depth as white', () => {
    const bytes = Uint8Array.of(0x00, 0x02, 0xff, 0xff);
    expect(pixels({ bytes, stride: 4, width: 2, height: 1, bits: 10, isFullRange: true })).toEqual([128, 255]);
  });

  it.each([16, 17, 31, 32, 97, 256])('stretches every level of a row of %i exactly as the table does', (width) => {
    const layout = { bits: 8, isFullRange: false };
    const height = Math.ceil(256 / width) + 1;
    const stride = width + 5;
    const bytes = Uint8Array.from(
      { length: stride * height },
      (_, at) => (at % stride) + width * Math.floor(at / stride),
    );
    const expected = Array.from({ length: width * height }, (_, at) => grayTable(layout)[at % 256]);
    expect(pixels({ bytes, stride, width, height, ...layout })).toEqual(expected);
  });

  it('keeps the tables of several layouts apart', () => {
    const plane = { bytes: Uint8Array.of(100, 0), stride: 2, width: 1, height: 1 };
    expect(pixels({ ...plane, ...full })).toEqual([100]);
    expect(pixels({ ...plane, bits: 10, isFullRange: true })).toEqual([25]);
    expect(pixels({ ...plane, bits: 8, isFullRange: false })).toEqual([98]);
    expect(pixels({ ...plane, ...full })).toEqual([100]);
  });

  // 1 2 3
  // 4 5 6
  it.each([
    ['as it is', [1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6]],
    ['turned by half', [-1, 0, 0, 0, -1, 0, 3, 2, 1], [6, 5, 4, 3, 2, 1]],
    ['turned clockwise', [0, 1, 0, -1, 0, 0, 2, 0, 1], [4, 1, 5, 2, 6, 3]],
    ['turned anticlockwise', [0, -1, 0, 1, 0, 0, 0, 3, 1], [3, 6, 2, 5, 1, 4]],
    ['mirrored left to right', [-1, 0, 0, 0, 1, 0, 3, 0, 1], [3, 2, 1, 6, 5, 4]],
    ['mirrored top to bottom', [1, 0, 0, 0, -1, 0, 0, 2, 1], [4, 5, 6, 1, 2, 3]],
    ['transposed', [0, 1, 0, 1, 0, 0, 0, 0, 1], [1, 4, 2, 5, 3, 6]],
    ['transposed the other way', [0, -1, 0, -1, 0, 0, 2, 3, 1], [6, 3, 5, 2, 4, 1]],
    ['turned by 45 degrees: not at all', [1, 1, 0, -1, 1, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6]],
  ])('shows a picture %s', (_, matrix, expected) => {
    const deep = Uint8Array.from([1, 2, 3, 0, 4, 5, 6, 0].flatMap((value) => [0, value]));
    const orientation = orientationOf(matrix);
    const bytes = Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 0);
    const size = { width: 3, height: 2, isFullRange: true };
    expect([...converter.toGray({ bytes, stride: 4, bits: 8, ...size }, orientation)]).toEqual(expected);
    expect([...converter.toGray({ bytes: deep, stride: 8, bits: 16, ...size }, orientation)]).toEqual(expected);
  });
});
