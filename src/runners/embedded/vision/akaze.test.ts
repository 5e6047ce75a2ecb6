import { readFile } from 'node:fs/promises';
import { loadOpenCV } from '@opencvjs/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadGoldenCase } from '../../../../tests/support/golden-case.js';
import { readPortableGraymap } from '../../../../tests/support/portable-graymap.js';
import { silentLogger } from '../../../../tests/support/silent-logger.js';
import { blankFrame, noiseFrame, texturedFrame, type GrayFrame } from '../../../../tests/support/textured-frame.js';
import { createVideoDecoder } from '../../../platform/media/create-video-decoder.js';
import { AkazeDetector } from './akaze.js';
import { MAXIMUM_KEYPOINTS } from './strongest.js';

const FIXTURES = new URL('../../../../tests/fixtures/', import.meta.url);
const opencvSchema = z.object({
  keypoints: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.string().length(122)])),
});
const BITS = 486;

/** As in `cv::KeyPoint`. */
interface AkazeKeypoint {
  x: number;
  y: number;
  response: number;
  /** Degrees. */
  angle: number;
  level: number;
  /** 61 bytes, hexadecimal. */
  descriptor: string;
}

let akaze: AkazeDetector;

beforeAll(async () => {
  akaze = await AkazeDetector.create();
});

describe('AkazeDetector against OpenCV', () => {
  it('has the keypoints and descriptors of the native library, in its order', async () => {
    const { keypoints } = opencvSchema.parse(
      JSON.parse(await readFile(new URL('akaze/opencv.json', FIXTURES), 'utf8')),
    );
    const found = keypointsOf(readPortableGraymap(await readFile(new URL('sift/scene.pgm', FIXTURES))));
    expect(found).toHaveLength(keypoints.length);
    for (const [i, [x, y, response, angle, level, descriptor]] of keypoints.entries()) {
      const own = found[i]!;
      expect(own.level).toBe(level);
      expect(Math.hypot(own.x - x, own.y - y)).toBeLessThan(1e-3);
      expect(Math.abs(own.response / response - 1)).toBeLessThan(1e-4);
      expect(angleBetween(own.angle, angle)).toBeLessThan(0.05);
      expect(own.descriptor).toBe(descriptor);
    }
  });

  it.each([
    ['four octaves', texturedFrame(1280, 720)],
    ['sizes that halve unevenly', texturedFrame(643, 481, 0, 0, 2)],
    ['portrait', texturedFrame(331, 597, 0, 0, 3)],
    ['one octave', texturedFrame(157, 79, 0, 0, 4)],
    ['little room for keypoints', texturedFrame(77, 91, 0, 0, 5)],
    ['noise', noiseFrame(320, 240)],
  ])('agrees with OpenCV.js: %s', async (_, frame) => {
    await expectAgreement(frame);
  });

  it.each(['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'] as const)('agrees on a frame of %s', async (name) => {
    const { currentVideoPath } = await loadGoldenCase(name);
    const decoder = createVideoDecoder({ logger: silentLogger });
    const signal = AbortSignal.timeout(60_000);
    for await (const frame of decoder.frames(currentVideoPath, { start: 20, end: 20, step: 1 }, { signal })) {
      await expectAgreement(frame);
    }
    expect.hasAssertions();
  });
});

describe('AkazeDetector', () => {
  it('finds nothing where nothing is, or no room for it', () => {
    const frames = [
      blankFrame(640, 480),
      blankFrame(640, 480, 255),
      noiseFrame(58, 400),
      noiseFrame(400, 58),
      noiseFrame(1, 1),
    ];
    for (const frame of frames) {
      const { count, points, descriptors } = akaze.detect(frame.gray, frame.width, frame.height);
      expect([count, points.length, descriptors.values.length]).toEqual([0, 0, 0]);
    }
  });

  it('places keypoints where a mirror image has them', () => {
    const frame = texturedFrame(400, 300);
    const mirrored = { ...frame, gray: frame.gray.map((_, i) => frame.gray[i - (i % 400) + 399 - (i % 400)]!) };
    const places = keypointsOf(frame).map(({ x, y }) => `${(399 - x).toFixed(1)} ${y.toFixed(1)}`);
    const found = new Set(keypointsOf(mirrored).map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`));
    expect(places.length).toBeGreaterThan(100);
    expect(places.filter((place) => found.has(place)).length).toBeGreaterThan(0.8 * places.length);
  });

  it('takes a 4K frame, bounded in keypoints, from all over it', () => {
    const frame = noiseFrame(3840, 2160);
    const { count, points, descriptors } = akaze.detect(frame.gray, frame.width, frame.height);
    expect(count).toBe(MAXIMUM_KEYPOINTS);
    expect(descriptors.values).toHaveLength(64 * count);
    const rows = points.filter((_, i) => i % 2 === 1);
    expect(rows.reduce((a, b) => Math.max(a, b))).toBeGreaterThan(2000);
    expect(rows.reduce((a, b) => Math.min(a, b))).toBeLessThan(160);
  });

  it('gives bit-equal results twice, whatever size came in between', () => {
    const frame = texturedFrame(320, 240);
    const first = akaze.detect(frame.gray, frame.width, frame.height);
    for (const other of [noiseFrame(97, 161), texturedFrame(401, 299), blankFrame(7, 5)]) {
      akaze.detect(other.gray, other.width, other.height);
    }
    expect(akaze.detect(frame.gray, frame.width, frame.height)).toEqual(first);
  });
});

async function expectAgreement(frame: GrayFrame): Promise<void> {
  const expected = new Map((await openCvKeypoints(frame)).map((keypoint) => [pixel(keypoint), keypoint]));
  const found = keypointsOf(frame);
  expect(found.length).toBeGreaterThan(0);
  const pairs = found.flatMap((keypoint) => {
    const other = expected.get(pixel(keypoint));
    const isSame = other !== undefined && Math.hypot(other.x - keypoint.x, other.y - keypoint.y) <= 0.02;
    return isSame ? [{ keypoint, other }] : [];
  });
  expect(pairs.length).toBeGreaterThanOrEqual(0.99 * Math.max(found.length, expected.size));
  const bits = pairs.reduce((sum, { keypoint, other }) => sum + hammingDistance(keypoint, other), 0);
  // OpenCV.js has another approximation of the arc tangent than the native library.
  expect(bits).toBeLessThan(0.005 * BITS * pairs.length);
}

function keypointsOf({ gray, width, height }: GrayFrame): AkazeKeypoint[] {
  const { count, keypoints, levels, descriptors } = akaze.detectKeypoints(gray, width, height);
  return Array.from({ length: count }, (_, i) => {
    const [x, y, response, angle] = keypoints.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return { x, y, response, angle, level: levels[i]!, descriptor: hexadecimal(descriptors, 64 * i) };
  });
}

/** The few OpenCV.js objects used here; the published types lack AKAZE. */
interface OpenCv {
  Mat: { new (): Matrix; new (rows: number, columns: number, type: number): Matrix };
  KeyPointVector: new () => {
    size(): number;
    get(index: number): { pt: { x: number; y: number }; response: number; angle: number; class_id: number };
    delete(): void;
  };
  AKAZE: new () => {
    detectAndCompute(image: Matrix, mask: Matrix, keypoints: object, descriptors: Matrix): void;
    delete(): void;
  };
  CV_8UC1: number;
}
interface Matrix {
  data: Uint8Array;
  delete(): void;
}

async function openCvKeypoints({ gray, width, height }: GrayFrame): Promise<AkazeKeypoint[]> {
  const opencv = (await loadOpenCV()) as unknown as OpenCv;
  const image = new opencv.Mat(height, width, opencv.CV_8UC1);
  const mask = new opencv.Mat();
  const vector = new opencv.KeyPointVector();
  const descriptors = new opencv.Mat();
  const detector = new opencv.AKAZE();
  image.data.set(gray);
  detector.detectAndCompute(image, mask, vector, descriptors);
  const keypoints = Array.from({ length: vector.size() }, (_, i) => {
    const { pt, response, angle, class_id: level } = vector.get(i);
    return { ...pt, response, angle, level, descriptor: hexadecimal(descriptors.data, 61 * i) };
  });
  for (const object of [image, mask, vector, descriptors, detector]) object.delete();
  return keypoints;
}

function hexadecimal(descriptors: Uint8Array, start: number): string {
  return Buffer.from(descriptors.subarray(start, start + 61)).toString('hex');
}

function pixel({ x, y, level }: AkazeKeypoint): string {
  return [level, Math.round(x), Math.round(y)].join(' ');
}

function angleBetween(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360;
  return Math.min(difference, 360 - difference);
}

function hammingDistance(a: AkazeKeypoint, b: AkazeKeypoint): number {
  const [one, other] = [a, b].map(({ descriptor }) => BigInt(`0x${descriptor}`));
  return (one! ^ other!).toString(2).replaceAll('0', '').length;
}
