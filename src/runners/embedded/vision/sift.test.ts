import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readPortableGraymap } from '../../../../tests/support/portable-graymap.js';
import { blankFrame, texturedFrame, type GrayFrame } from '../../../../tests/support/textured-frame.js';
import { createRandom } from './random.js';
import { SiftDetector } from './sift.js';
import { MAXIMUM_KEYPOINTS } from './strongest.js';

const FIXTURES = new URL('../../../../tests/fixtures/sift/', import.meta.url);
const opencvSchema = z.object({
  keypoints: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])),
  descriptors: z.array(z.array(z.number()).length(128)),
  descriptorStep: z.number(),
});

describe('SiftDetector against OpenCV', () => {
  let opencv: z.infer<typeof opencvSchema>;
  let scene: GrayFrame;
  let sift: SiftDetector;

  beforeAll(async () => {
    opencv = opencvSchema.parse(JSON.parse(await readFile(new URL('opencv.json', FIXTURES), 'utf8')));
    scene = readPortableGraymap(await readFile(new URL('scene.pgm', FIXTURES)));
    sift = await SiftDetector.create();
  });

  it('finds the same keypoints in the same order, none twice', () => {
    const { count, x, y, size, angle, response } = sift.detectKeypoints(scene.gray, scene.width, scene.height);
    expect(count).toBe(opencv.keypoints.length);
    opencv.keypoints.forEach((expected, i) => {
      expect(Math.hypot(x[i]! - expected[0], y[i]! - expected[1])).toBeLessThan(0.01);
      expect(Math.abs(size[i]! - expected[2])).toBeLessThan(0.01);
      expect(angleDifference(angle[i]!, expected[3])).toBeLessThan(0.5);
      expect(Math.abs(response[i]! - expected[4])).toBeLessThan(1e-4);
    });
    const identities = Array.from({ length: count }, (_, i) => [x[i], y[i], size[i], angle[i]].join(' '));
    expect(new Set(identities).size).toBe(count);
  });

  it('describes them alike', () => {
    const { descriptors } = sift.detectKeypoints(scene.gray, scene.width, scene.height);
    const distances = opencv.descriptors.map((expected, i) => {
      const start = i * opencv.descriptorStep * 128;
      return Math.hypot(...expected.map((value, k) => value - descriptors[start + k]!));
    });
    // Of a length of 512. Rounding differs in single entries.
    expect(Math.max(...distances)).toBeLessThan(10);
  });

  it('gives bit-equal results twice, whatever size came in between', () => {
    const first = sift.detectKeypoints(scene.gray, scene.width, scene.height);
    const other = texturedFrame(97, 61);
    sift.detectKeypoints(other.gray, other.width, other.height);
    expect(sift.detectKeypoints(scene.gray, scene.width, scene.height)).toEqual(first);
  });
});

function angleDifference(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360;
  return Math.min(difference, 360 - difference);
}

describe('SiftDetector at its limits', () => {
  it('keeps the strongest keypoints of a frame that has more than can be matched', async () => {
    const sift = await SiftDetector.create();
    const { gray, width, height } = checkers(900, 700);
    const { count, response } = sift.detectKeypoints(gray, width, height);
    expect(count).toBe(MAXIMUM_KEYPOINTS);
    // What is left out of the whole is weaker than what stays, so the weakest of a part is not among it.
    const part = sift.detectKeypoints(gray.subarray(0, width * 100), width, 100);
    expect(part.count).toBeGreaterThan(1000);
    expect(Math.min(...response)).toBeGreaterThan(Math.min(...part.response));
  });

  it('serves a blank frame, a small one and a 4K frame in turn', async () => {
    const sift = await SiftDetector.create();
    const detect = ({ gray, width, height }: GrayFrame) => sift.detect(gray, width, height);
    expect(detect(blankFrame(640, 480, 90)).count).toBe(0);
    const small = texturedFrame(64, 64);
    const alone = detect(small);
    expect(alone.count).toBeGreaterThan(0);
    const large = blankFrame(3840, 2160, 128);
    for (let row = 0; row < 64; row++) {
      large.gray.set(small.gray.subarray(row * 64, row * 64 + 64), (row + 900) * 3840 + 2000);
    }
    const found = detect(large);
    expect(found.count).toBeGreaterThan(alone.count / 2);
    for (let i = 0; i < found.count; i++) {
      expect(found.points[2 * i]).toBeGreaterThan(1900);
      expect(found.points[2 * i]).toBeLessThan(2164);
    }
    expect(detect(small)).toEqual(alone);
  });
});

/** Squares of 5 x 5 pixels of random brightness: a keypoint on nearly each. */
function checkers(width: number, height: number): GrayFrame {
  const random = createRandom(3);
  const columns = Math.ceil(width / 5);
  const levels = Uint8Array.from({ length: columns * Math.ceil(height / 5) }, () => Math.floor(random() * 256));
  const gray = Uint8Array.from({ length: width * height }, (_, i) => {
    const row = Math.floor(i / width / 5);
    return levels[row * columns + Math.floor((i % width) / 5)]!;
  });
  return { gray, width, height };
}
