import { beforeAll, describe, expect, it } from 'vitest';
import { createServoPipeline } from '../support/servo-pipeline.js';
import { decodeGray } from '../support/decode-gray.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../support/golden-case.js';
import {
  loadGoldenReference,
  REFERENCE_DETECTORS,
  type GoldenReference,
  type ReferenceDetector,
} from '../support/golden-reference.js';
import type { GrayFrame } from '../support/textured-frame.js';
import { angleBetween, magnitude, median, weighRotation } from '../support/velocity-difference.js';

/** Median angle in degrees and share of the magnitude that a detector keeps to on every scene. */
const LIMITS: Record<ReferenceDetector, { degrees: number; magnitude: number }> = {
  SIFT: { degrees: 1.5, magnitude: 0.03 },
  AKAZE: { degrees: 2.5, magnitude: 0.03 },
  ORB: { degrees: 6, magnitude: 0.03 },
};

/** Frames from one that is computed to the next. */
const EVERY: Record<ReferenceDetector, number> = { SIFT: 5, AKAZE: 2, ORB: 2 };
/** Frames slower than this share of the first frame's velocity are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;
/** Speed (m/s and rad/s) that counts as having arrived. */
const ARRIVED = 5e-3;

describe.each([
  'box-and-wall',
  'staircase',
  'relief',
  'steep-plane',
  'roll-60',
  'zoom-in',
  'faint-blurred',
  'moving-object',
])('synthetic scene %s', (name) => {
  let files: GoldenCaseFiles;
  let reference: GoldenReference;
  let goalFrames: GrayFrame[];
  let currentFrames: GrayFrame[];

  beforeAll(async () => {
    files = await loadGoldenCase(name);
    reference = await loadGoldenReference(name);
    goalFrames = await decodeGray(files.goalVideoPath);
    currentFrames = await decodeGray(files.currentVideoPath);
  });

  it.each(REFERENCE_DETECTORS)('%s leads where exact correspondences lead', async (detector) => {
    const limits = LIMITS[detector];
    const exact = reference.detectors[detector].gt_correspondences.ibvs;
    const ideal = reference.ideal.ibvs_grid;
    const { intrinsics, distance } = files;
    const pipeline = await createServoPipeline({ detector, intrinsics, distance }, goalFrames[files.goalFrame]);
    const angles: number[] = [];
    const magnitudes: number[] = [];
    for (let i = 0; i < currentFrames.length; i += EVERY[detector]) {
      if (magnitude(ideal[i]) <= MOVING_SHARE * magnitude(ideal[0])) continue;
      const { velocity, problem } = pipeline.step(currentFrames[i]);
      expect(problem).toBeNull();
      angles.push(angleBetween(velocity, exact[i], distance));
      const [length, exactLength] = [velocity, exact[i]].map((v) => magnitude(weighRotation(v, distance)));
      magnitudes.push(Math.abs(length / exactLength - 1));
    }
    const last = pipeline.step(currentFrames.at(-1)!);
    pipeline.dispose();

    expect(median(angles)).toBeLessThanOrEqual(limits.degrees);
    expect(median(magnitudes)).toBeLessThanOrEqual(limits.magnitude);
    expect(magnitude(last.velocity)).toBeLessThanOrEqual(ARRIVED);
  });
});
