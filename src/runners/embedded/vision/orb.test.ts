import { readFile } from 'node:fs/promises';
import { loadOpenCV } from '@opencvjs/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readPortableGraymap } from '../../../../tests/support/portable-graymap.js';
import { blankFrame, noiseFrame, texturedFrame, type GrayFrame } from '../../../../tests/support/textured-frame.js';
import { OrbDetector } from './orb.js';
import { MAXIMUM_KEYPOINTS } from './strongest.js';

const FIXTURES = new URL('../../../../tests/fixtures/', import.meta.url);
const opencvSchema = z.object({
  keypoints: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.string().length(64)])),
});

/** In the coordinates of `cv::KeyPoint`. */
interface OrbKeypoint {
  x: number;
  y: number;
  octave: number;
  /** Degrees. */
  angle: number;
  response: number;
  /** 32 bytes, hexadecimal. */
  descriptor: string;
}

let orb: OrbDetector;

beforeAll(async () => {
  orb = await OrbDetector.create();
});

describe('OrbDetector against OpenCV', () => {
  it('has the very keypoints and descriptors of the native library', async () => {
    const { keypoints } = opencvSchema.parse(JSON.parse(await readFile(new URL('orb/opencv.json', FIXTURES), 'utf8')));
    const expected = keypoints.map(([x, y, octave, angle, response, descriptor]) => {
      return { x, y, octave, angle: Math.fround(angle), response: Math.fround(response), descriptor };
    });
    const scene = readPortableGraymap(await readFile(new URL('sift/scene.pgm', FIXTURES)));
    const found = orbKeypoints(scene);
    expect(found.length).toBeGreaterThan(300);
    expect(found.sort(byPlace)).toEqual(expected.sort(byPlace));
  });

  it.each([
    ['every level', texturedFrame(640, 480)],
    ['odd sizes', texturedFrame(333, 217, 0, 0, 2)],
    ['portrait', texturedFrame(241, 517, 0, 0, 3)],
    ['hardly room for a keypoint', texturedFrame(74, 85, 0, 0, 4)],
    ['more corners than are wanted', noiseFrame(320, 240)],
    ['many corners equally strong', squares(320, 240)],
  ])('agrees with OpenCV.js: %s', async (_, frame) => {
    const expected = new Map((await openCvKeypoints(frame)).map((keypoint) => [place(keypoint), keypoint]));
    const found = orbKeypoints(frame);
    expect(found.map(place).sort()).toEqual([...expected.keys()].sort());
    let differentBits = 0;
    for (const keypoint of found) {
      const other = expected.get(place(keypoint))!;
      expect(keypoint.response).toBe(other.response);
      // OpenCV.js has another approximation of the arc tangent than the native library.
      expect(angleBetween(keypoint.angle, other.angle)).toBeLessThan(0.02);
      differentBits += hammingDistance(keypoint.descriptor, other.descriptor);
    }
    expect(differentBits).toBeLessThanOrEqual(found.length * 256 * 0.001);
  });
});

describe('OrbDetector', () => {
  it('places keypoints where a mirror image has them', () => {
    const frame = texturedFrame(401, 299);
    const mirrored = { ...frame, gray: frame.gray.map((_, i) => frame.gray[mirrorIndex(i, frame.width)]!) };
    const places = new Set(framePoints(frame).map(([x, y]) => `${(400 - x).toFixed(2)} ${y.toFixed(2)}`));
    const found = framePoints(mirrored).map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`);
    const same = found.filter((point) => places.has(point)).length;
    expect(found.length).toBeGreaterThan(300);
    expect(same / found.length).toBeGreaterThan(0.98);
  });

  it('finds nothing where nothing is, or too little of it', () => {
    for (const frame of [blankFrame(640, 480), blankFrame(640, 480, 255), noiseFrame(62, 400), noiseFrame(1, 1)]) {
      const { count, points, descriptors } = orb.detect(frame.gray, frame.width, frame.height);
      expect([count, points.length, descriptors.values.length]).toEqual([0, 0, 0]);
    }
  });

  it('takes a 4K frame, with keypoints inside of it', () => {
    const tile = texturedFrame(960, 540);
    const gray = Uint8Array.from({ length: 3840 * 2160 }, (_, i) => {
      return tile.gray[(Math.floor(i / 3840) % 540) * 960 + (i % 960)]!;
    });
    const { count, points } = orb.detect(gray, 3840, 2160);
    expect(count).toBeGreaterThanOrEqual(500);
    expect(points.every((value, i) => value > 30 && value < (i % 2 === 0 ? 3840 : 2160) - 31)).toBe(true);
  });

  it('bounds what a regular pattern gives', () => {
    const frame = squares(1920, 1080);
    const { count, points } = orb.detect(frame.gray, frame.width, frame.height);
    expect(count).toBeGreaterThan(500);
    expect(count).toBeLessThanOrEqual(MAXIMUM_KEYPOINTS);
    // From all over the frame.
    expect(Math.max(...points.filter((_, i) => i % 2 === 1))).toBeGreaterThan(1000);
  });

  it('gives bit-equal results twice, whatever size came in between', () => {
    const frame = texturedFrame(320, 240);
    const first = orb.detect(frame.gray, frame.width, frame.height);
    const other = noiseFrame(97, 161);
    orb.detect(other.gray, other.width, other.height);
    expect(orb.detect(frame.gray, frame.width, frame.height)).toEqual(first);
  });
});

/** Keypoints as OpenCV reports them: the pixel of the level times the level's nominal scale. */
function orbKeypoints({ gray, width, height }: GrayFrame): OrbKeypoint[] {
  return orb.detectKeypoints(gray, width, height).flatMap(({ level, pixels, angles, responses, descriptors }) =>
    Array.from(pixels, (pixel, i) => ({
      x: Math.fround((pixel % level.width) * level.scale),
      y: Math.fround(Math.floor(pixel / level.width) * level.scale),
      octave: level.index,
      angle: angles[i]!,
      response: responses[i]!,
      descriptor: Buffer.from(descriptors.subarray(32 * i, 32 * i + 32)).toString('hex'),
    })),
  );
}

function framePoints({ gray, width, height }: GrayFrame): [number, number][] {
  const { count, points } = orb.detect(gray, width, height);
  return Array.from({ length: count }, (_, i) => [points[2 * i]!, points[2 * i + 1]!]);
}

/** The few OpenCV.js objects used here; the published types lack the fields of a keypoint. */
interface OpenCv {
  Mat: { new (): Matrix; new (rows: number, columns: number, type: number): Matrix };
  KeyPointVector: new () => {
    size(): number;
    get(index: number): Omit<OrbKeypoint, 'x' | 'y' | 'descriptor'> & { pt: { x: number; y: number } };
    delete(): void;
  };
  ORB: new () => {
    detectAndCompute(image: Matrix, mask: Matrix, keypoints: object, descriptors: Matrix): void;
    delete(): void;
  };
  CV_8UC1: number;
}
interface Matrix {
  data: Uint8Array;
  delete(): void;
}

async function openCvKeypoints({ gray, width, height }: GrayFrame): Promise<OrbKeypoint[]> {
  const opencv = (await loadOpenCV()) as unknown as OpenCv;
  const image = new opencv.Mat(height, width, opencv.CV_8UC1);
  const mask = new opencv.Mat();
  const vector = new opencv.KeyPointVector();
  const descriptors = new opencv.Mat();
  const detector = new opencv.ORB();
  image.data.set(gray);
  detector.detectAndCompute(image, mask, vector, descriptors);
  const keypoints = Array.from({ length: vector.size() }, (_, i) => {
    const { pt, octave, angle, response } = vector.get(i);
    const descriptor = Buffer.from(descriptors.data.subarray(32 * i, 32 * i + 32)).toString('hex');
    return { x: pt.x, y: pt.y, octave, angle, response, descriptor };
  });
  for (const object of [image, mask, vector, descriptors, detector]) object.delete();
  return keypoints;
}

function place({ x, y, octave }: OrbKeypoint): string {
  return [octave, x, y].join(' ');
}

function byPlace(a: OrbKeypoint, b: OrbKeypoint): number {
  return a.octave - b.octave || a.y - b.y || a.x - b.x;
}

function angleBetween(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360;
  return Math.min(difference, 360 - difference);
}

function hammingDistance(a: string, b: string): number {
  const [one, other] = [a, b].map((hex) => BigInt(`0x${hex}`));
  return (one! ^ other!).toString(2).replaceAll('0', '').length;
}

function mirrorIndex(index: number, width: number): number {
  return index - (index % width) + (width - 1 - (index % width));
}

/** Small squares at regular distances: all their corners look the same. */
function squares(width: number, height: number): GrayFrame {
  const gray = Uint8Array.from({ length: width * height }, (_, i) => {
    return (i % width) % 16 < 6 && Math.floor(i / width) % 16 < 6 ? 220 : 30;
  });
  return { gray, width, height };
}
