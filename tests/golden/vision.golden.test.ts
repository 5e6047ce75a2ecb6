import { beforeAll, describe, expect, it } from 'vitest';
import { decodeGray } from '../support/decode-gray.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../support/golden-case.js';
import {
  loadGoldenReference,
  REFERENCE_DETECTORS,
  type GoldenReference,
  type ReferenceDetector,
} from '../support/golden-reference.js';
import { createServoPipeline } from '../support/servo-pipeline.js';
import type { GrayFrame } from '../support/textured-frame.js';
import { angleBetween, magnitude, median, relativeDifference, weighRotation } from '../support/velocity-difference.js';

const CASES = ['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'] as const;

/** What holds of the median over the moving frames. `every`: frames between two that are computed. */
const LIMITS: Record<ReferenceDetector, { every: number; relative: number; degrees: number; magnitude: number }> = {
  SIFT: { every: 5, relative: 0.03, degrees: 1, magnitude: 0.01 },
  AKAZE: { every: 5, relative: 0.03, degrees: 1.5, magnitude: 0.01 },
  ORB: { every: 1, relative: 0.1, degrees: 3, magnitude: 0.02 },
};
/** Frames slower than this share of the first frame's velocity are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;
/** Speed (m/s and rad/s) that counts as having arrived. */
const ARRIVED = 5e-3;

describe.each(CASES)('golden case %s', (name) => {
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

  const start = (detector: ReferenceDetector, goalFrame: number) => {
    const { intrinsics, distance } = files;
    return createServoPipeline({ detector, intrinsics, distance }, goalFrames[goalFrame]);
  };

  it.each(REFERENCE_DETECTORS)('%s leads where exact correspondences lead', async (detector) => {
    const limits = LIMITS[detector];
    const { robust, gt_correspondences: exact } = reference.detectors[detector];
    const ideal = reference.ideal.ibvs_grid;
    const restingSpeed = MOVING_SHARE * magnitude(ideal[0]);
    const pipeline = await start(detector, files.goalFrame);
    const differences: number[] = [];
    const angles: number[] = [];
    const magnitudes: number[] = [];
    for (let i = 0; i < currentFrames.length; i += limits.every) {
      if (magnitude(ideal[i]) <= restingSpeed) continue;
      const { velocity, problem } = pipeline.step(currentFrames[i]);
      expect(problem).toBeNull();
      differences.push(relativeDifference(velocity, robust!.ibvs[i]));
      angles.push(angleBetween(velocity, exact.ibvs[i], files.distance));
      const [length, exactLength] = [velocity, exact.ibvs[i]].map((v) => magnitude(weighRotation(v, files.distance)));
      magnitudes.push(Math.abs(length / exactLength - 1));
    }
    const last = pipeline.step(currentFrames.at(-1)!);
    pipeline.dispose();

    expect(median(differences)).toBeLessThanOrEqual(limits.relative);
    expect(median(angles)).toBeLessThanOrEqual(limits.degrees);
    expect(median(magnitudes)).toBeLessThanOrEqual(limits.magnitude);
    expect(magnitude(last.velocity)).toBeLessThanOrEqual(ARRIVED);
  });

  // Without a reference of their own: the true motion is that of every detector.
  it.each(['KAZE', 'BRISK', 'AKAZE+ORB', 'SIFT:0123', 'AKAZE:02+ORB:13'])(
    '%s leads there as well',
    async (detector) => {
      const { intrinsics, distance, goalFrame } = files;
      const pipeline = await createServoPipeline({ detector, intrinsics, distance }, goalFrames[goalFrame]);
      const exact = reference.detectors.SIFT.gt_correspondences.ibvs;
      const frames = [0, 12, 24, 36];
      const velocities = frames.map((i) => pipeline.step(currentFrames[i]).velocity);
      pipeline.dispose();
      const angles = velocities.map((velocity, k) => angleBetween(velocity, exact[frames[k]], distance));
      const lengths = velocities.map((velocity) => magnitude(weighRotation(velocity, distance)));
      const exactLengths = frames.map((i) => magnitude(weighRotation(exact[i], distance)));
      expect(median(angles)).toBeLessThanOrEqual(2);
      expect(median(lengths.map((length, k) => Math.abs(length / exactLengths[k] - 1)))).toBeLessThanOrEqual(0.03);
    },
  );

  it('a goal frame that is one off is noticed', async () => {
    const neighbours = [files.goalFrame - 1, files.goalFrame + 1].filter((index) => goalFrames[index] !== undefined);
    expect(neighbours).not.toHaveLength(0);
    for (const neighbour of neighbours) {
      const pipeline = await start('AKAZE', neighbour);
      const { velocity } = pipeline.step(currentFrames.at(-1)!);
      pipeline.dispose();
      expect(magnitude(velocity)).toBeGreaterThan(2 * ARRIVED);
    }
  });
});
