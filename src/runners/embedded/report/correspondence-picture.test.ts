import { describe, expect, it } from 'vitest';

import { createCorrespondencePainter } from './correspondence-picture.js';
import type { GrayImage } from '../vision/features.js';
import type { Observation } from '../vision/observation.js';
import { scaleGray } from './gray-scaling.js';
import { createJpegEncoder } from '../../../platform/media/jpeg-encoder.js';

function evenPicture(width: number, height: number, level: number): GrayImage {
  return { width, height, gray: new Uint8Array(width * height).fill(level) };
}

function matched(goal: number[], current: number[], inliers: number[]): Pick<Observation, 'matches' | 'inliers'> {
  return {
    matches: {
      count: inliers.length,
      goalIndex: Int32Array.from(inliers.keys()),
      goal: Float64Array.from(goal),
      current: Float64Array.from(current),
    },
    inliers: Uint8Array.from(inliers),
  };
}

describe('scaleGray', () => {
  it('averages when it shrinks and repeats when it enlarges', () => {
    const source = { width: 4, height: 2, gray: Uint8Array.of(0, 100, 10, 20, 100, 200, 30, 40) };
    expect([...scaleGray(source, 0.5).gray]).toEqual([100, 25]);
    const large = scaleGray({ width: 2, height: 1, gray: Uint8Array.of(1, 2) }, 2);
    expect(large).toEqual({ width: 4, height: 2, gray: Uint8Array.of(1, 1, 2, 2, 1, 1, 2, 2) });
  });
});

describe('createCorrespondencePainter', () => {
  const velocity: [number, number, number, number, number, number] = [0.1, -0.2, 0, 0, 0, -0.001];

  it('puts both views side by side with inliers in blue', () => {
    const goal = { ...evenPicture(640, 480, 50), frame: 6 };
    const painter = createCorrespondencePainter({ goal, detector: 'ORB' });
    const raster = painter.paint({
      currentFrame: 12,
      current: evenPicture(640, 480, 50),
      step: { velocity, inliers: 1, problem: null, observation: matched([100, 100], [120, 100], [1]) },
    });
    const top = raster.height - 480;
    const pixel = (x: number, y: number) => [...raster.rgb.subarray(3 * (y * raster.width + x)).subarray(0, 3)];
    const [red, , blue] = pixel(100, top + 100);
    expect(blue).toBeGreaterThan(red + 100);
    expect(pixel(raster.width - 640 + 120, top + 100)).toEqual(pixel(100, top + 100));
    expect(pixel(5, raster.height - 5)).toEqual([50, 50, 50]);
  });

  it.each([
    [16, 16, 8192, 8192],
    [8192, 64, 64, 8192],
    [1920, 1080, 640, 480],
  ])('bounds the picture of %i x %i beside %i x %i', async (w1, h1, w2, h2) => {
    const goal = { ...evenPicture(w1, h1, 90), frame: 0 };
    const raster = createCorrespondencePainter({ goal, detector: 'SIFT' }).paint({
      currentFrame: 999_999,
      current: evenPicture(w2, h2, 90),
      step: {
        velocity,
        inliers: 0,
        problem: 'too-few-matches',
        observation: matched([0, 0, w1 - 1, h1 - 1], [w2 - 1, h2 - 1, 0, 0], [0, 0]),
      },
    });
    expect(raster.width).toBeLessThanOrEqual(2000);
    expect(raster.height).toBeLessThanOrEqual(800);
    const encoder = await createJpegEncoder();
    const jpeg = encoder.encode(raster);
    encoder.dispose();
    expect([...jpeg.subarray(0, 2), ...jpeg.subarray(-2)]).toEqual([0xff, 0xd8, 0xff, 0xd9]);
  });
});
