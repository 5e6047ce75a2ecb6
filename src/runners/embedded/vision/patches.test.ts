import { describe, expect, it } from 'vitest';
import { blankFrame, speckledFrame } from '../../../../tests/support/textured-frame.js';
import { cutPatches, PatchComparison } from './patches.js';

const FRAME = speckledFrame(160, 120, (x, y) => [x, y]);
const KEYPOINTS = { count: 3, points: Float32Array.of(80, 60, 40.4, 70.7, 2, 60) };
const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
/** By 10 pixels to the right and 5 up. */
const MOTION = Float64Array.of(1, 0, 10, 0, 1, -5, 0, 0, 1);

describe('what a keypoint looks like', () => {
  const patches = cutPatches(FRAME, KEYPOINTS);

  it('is found where the keypoint has gone, and nowhere else', () => {
    const comparison = new PatchComparison(
      KEYPOINTS,
      patches,
      speckledFrame(160, 120, (x, y) => [x - 10, y + 5]),
    );
    for (const keypoint of [0, 1]) {
      expect(comparison.select(keypoint)).toBe(true);
      expect(comparison.likeness(MOTION)).toBeGreaterThan(0.98);
      expect(comparison.likeness(IDENTITY)).toBeLessThan(0.75);
    }
  });

  it('is the same in another light', () => {
    const faint = { ...FRAME, gray: FRAME.gray.map((value) => 30 + value / 3) };
    const comparison = new PatchComparison(KEYPOINTS, patches, faint);
    comparison.select(0);
    expect(comparison.likeness(IDENTITY)).toBeGreaterThan(0.99);
  });

  it('is compared under the rotation and scale of the homography', () => {
    const [c, s] = [1.2 * Math.cos(0.6), 1.2 * Math.sin(0.6)];
    const turn = Float64Array.of(c, -s, 80 - 80 * c + 60 * s, s, c, 60 - 80 * s - 60 * c, 0, 0, 1);
    const turned = speckledFrame(160, 120, (x, y) => {
      const [dx, dy] = [(x - 80) / 1.44, (y - 60) / 1.44];
      return [80 + c * dx + s * dy, 60 - s * dx + c * dy];
    });
    const comparison = new PatchComparison(KEYPOINTS, patches, turned);
    comparison.select(0);
    expect(comparison.likeness(turn)).toBeGreaterThan(0.95);
    expect(comparison.likeness(IDENTITY)).toBeLessThan(comparison.likeness(turn) - 0.1);
  });

  it('cannot be told too near to the edge, or without texture', () => {
    expect(new PatchComparison(KEYPOINTS, patches, FRAME).select(2)).toBe(false);
    const plain = blankFrame(160, 120, 90);
    expect(new PatchComparison(KEYPOINTS, cutPatches(plain, KEYPOINTS), FRAME).select(0)).toBe(false);
    const comparison = new PatchComparison(KEYPOINTS, patches, plain);
    comparison.select(0);
    expect(comparison.likeness(IDENTITY)).toBe(-1);
  });

  it('is not looked for outside the frame or behind the camera', () => {
    const comparison = new PatchComparison(KEYPOINTS, patches, FRAME);
    comparison.select(0);
    expect(comparison.likeness(Float64Array.of(1, 0, 79, 0, 1, 0, 0, 0, 1))).toBe(-1);
    expect(comparison.likeness(IDENTITY.map((value) => -value))).toBe(-1);
  });
});
