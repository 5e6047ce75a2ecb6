import { describe, expect, it } from 'vitest';
import { grayTable, lumaLayout, lumaToGray } from './luma.js';

describe('grayTable', () => {
  it('stretches 8-bit limited range and clamps what lies outside', () => {
    const table = grayTable(8, false);
    expect([0, 16, 17, 125, 126, 235, 255].map((sample) => table[sample])).toEqual([0, 0, 1, 127, 128, 255, 255]);
  });

  it('leaves 8-bit full range as it is', () => {
    expect(grayTable(8, true)).toEqual(Uint8Array.from({ length: 256 }, (_, sample) => sample));
  });

  it('scales deeper samples down to 8 bits', () => {
    const limited = grayTable(10, false);
    expect([64, 502, 940].map((sample) => limited[sample])).toEqual([0, 128, 255]);
    const full = grayTable(12, true);
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

describe('lumaToGray', () => {
  it('drops the padding at the end of rows', () => {
    const plane = Uint8Array.of(1, 2, 99, 99, 3, 4);
    expect([...lumaToGray(plane, 4, 2, 2, grayTable(8, true))]).toEqual([1, 2, 3, 4]);
  });

  it('reads deep samples as little endian, and ones beyond their depth as white', () => {
    const plane = Uint8Array.of(0x00, 0x02, 0xff, 0xff);
    expect([...lumaToGray(plane, 4, 2, 1, grayTable(10, true))]).toEqual([128, 255]);
  });
});
