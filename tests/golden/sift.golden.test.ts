import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SiftKeypoints } from '../../src/runners/embedded/vision/sift-keypoints.js';
import { SiftDetector } from '../../src/runners/embedded/vision/sift.js';
import { siftFrames } from '../support/sift-frames.js';

const FIXTURES = new URL('../fixtures/sift/', import.meta.url);
const DESCRIPTOR_STEP = 16;
/** Share of keypoints that may be missing, and that may be too many. */
const STRAY_SHARE = 0.001;
const MAXIMUM_DISTANCE_PX = 0.01;
/** Sizes of other keypoints in the same place differ by more. */
const SIZE_SHARE = 0.01;

interface OpenCvKeypoint {
  x: number;
  y: number;
  size: number;
  angle: number;
  /** Only some have theirs kept. */
  descriptor: Uint8Array | null;
}

interface Comparison {
  expected: OpenCvKeypoint[];
  found: SiftKeypoints;
  /** Index of our keypoint for each of OpenCV's that has one. */
  pairs: [OpenCvKeypoint, number][];
}

/** Frames as in `siftFrames`; what OpenCV 4.6.0 finds in them comes from opencv.py beside the fixtures. */
describe('SIFT against OpenCV, on golden frames, odd sizes and noise', () => {
  const comparisons = new Map<string, Comparison>();

  beforeAll(async () => {
    const sift = await SiftDetector.create();
    for (const [name, { gray, width, height }] of await siftFrames()) {
      const expected = await readKeypoints(name);
      const found = sift.detectKeypoints(gray, width, height);
      comparisons.set(name, { expected, found, pairs: pairUp(expected, found) });
    }
  });

  it('finds 99.9 % of the keypoints, no more than 0.1 % others, and none twice', () => {
    let all = 0;
    let missing = 0;
    let others = 0;
    for (const [name, { expected, found, pairs }] of comparisons) {
      expect(countDifferent(found), name).toBe(found.count);
      // No frame alone may use up what all of them may have.
      expect(expected.length - pairs.length, name).toBeLessThanOrEqual(2);
      expect(found.count - pairs.length, name).toBeLessThanOrEqual(2);
      all += expected.length;
      missing += expected.length - pairs.length;
      others += found.count - pairs.length;
    }
    expect(all).toBeGreaterThan(7000);
    expect(missing).toBeLessThanOrEqual(STRAY_SHARE * all);
    expect(others).toBeLessThanOrEqual(STRAY_SHARE * all);
  });

  it('describes them alike', () => {
    const distances = [...comparisons.values()]
      .flatMap(({ pairs, found }) =>
        pairs.flatMap(([{ descriptor }, i]) =>
          descriptor === null ? [] : [descriptorDistance(descriptor, found.descriptors, i)],
        ),
      )
      .sort((a, b) => a - b);
    expect(distances.length).toBeGreaterThan(400);
    // Of a length of 512. Most are equal to the bit, and rounding differs in single entries of others.
    expect(distances[Math.floor(distances.length * 0.5)]).toBe(0);
    expect(distances[Math.floor(distances.length * 0.95)]).toBeLessThanOrEqual(1);
    expect(distances.at(-1)).toBeLessThan(30);
  });
});

/** Each keypoint of OpenCV with the one of ours in the same place, of the same size and nearest direction. */
function pairUp(expected: OpenCvKeypoint[], found: SiftKeypoints): [OpenCvKeypoint, number][] {
  const free = new Set(Array.from({ length: found.count }, (_, i) => i));
  const places = new Map<string, number[]>();
  for (const i of free) {
    const key = placeKey(found.x[i], found.y[i]);
    places.set(key, [...(places.get(key) ?? []), i]);
  }
  return expected.flatMap((keypoint) => {
    const near = [-1, 0, 1]
      .flatMap((dx) => [-1, 0, 1].flatMap((dy) => places.get(placeKey(keypoint.x + dx, keypoint.y + dy)) ?? []))
      .filter((i) => free.has(i) && isSame(keypoint, found, i));
    const turn = (i: number): number => angleDifference(found.angle[i], keypoint.angle);
    const nearest = near.sort((a, b) => turn(a) - turn(b))[0];
    if (nearest === undefined) return [];
    free.delete(nearest);
    return [[keypoint, nearest] as [OpenCvKeypoint, number]];
  });
}

function isSame({ x, y, size }: OpenCvKeypoint, found: SiftKeypoints, i: number): boolean {
  const distance = Math.hypot(found.x[i] - x, found.y[i] - y);
  return distance <= MAXIMUM_DISTANCE_PX && Math.abs(found.size[i] - size) <= SIZE_SHARE * size;
}

function placeKey(x: number, y: number): string {
  return `${Math.floor(x)} ${Math.floor(y)}`;
}

function countDifferent({ count, x, y, size, angle }: SiftKeypoints): number {
  return new Set(Array.from({ length: count }, (_, i) => [x[i], y[i], size[i], angle[i]].join(' '))).size;
}

function descriptorDistance(expected: Uint8Array, found: Int16Array, i: number): number {
  return Math.hypot(...Array.from(expected, (value, k) => value - found[128 * i + k]));
}

function angleDifference(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360;
  return Math.min(difference, 360 - difference);
}

async function readKeypoints(name: string): Promise<OpenCvKeypoint[]> {
  const rows = await readFile(new URL(`${name}.keypoints`, FIXTURES));
  const descriptors = await readFile(new URL(`${name}.descriptors`, FIXTURES));
  return Array.from({ length: rows.length / 16 }, (_, i) => ({
    x: rows.readFloatLE(16 * i),
    y: rows.readFloatLE(16 * i + 4),
    size: rows.readFloatLE(16 * i + 8),
    angle: rows.readFloatLE(16 * i + 12),
    descriptor:
      i % DESCRIPTOR_STEP === 0
        ? descriptors.subarray((i / DESCRIPTOR_STEP) * 128, (i / DESCRIPTOR_STEP + 1) * 128)
        : null,
  }));
}
