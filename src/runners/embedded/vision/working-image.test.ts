import { describe, expect, it } from 'vitest';
import { workingImage } from './working-image.js';

describe('workingImage', () => {
  it('leaves a 4K frame alone', () => {
    const gray = new Uint8Array(3840 * 2160);
    const image = workingImage(gray, 3840, 2160);
    expect(image.gray).toBe(gray);
    expect(image.toFrame(Float32Array.of(3, 4))).toEqual(Float32Array.of(3, 4));
  });

  it('averages blocks of a larger frame and maps positions back to their centres', () => {
    const [width, height] = [4099, 4097];
    const gray = new Uint8Array(width * height);
    gray[0] = 200;
    gray[width + 1] = 40;
    const image = workingImage(gray, width, height);
    expect([image.width, image.height]).toEqual([2049, 2048]);
    expect(image.gray[0]).toBe(60);
    expect(image.toFrame(Float32Array.of(0, 10))).toEqual(Float32Array.of(0.5, 20.5));
  });

  it('shrinks as far as a detector asks for', () => {
    const image = workingImage(new Uint8Array(1920 * 1080), 1920, 1080, 1280 * 960);
    expect([image.width, image.height]).toEqual([960, 540]);
  });
});
