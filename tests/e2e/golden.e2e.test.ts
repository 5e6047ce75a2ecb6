import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { InferenceResult } from '../../src/contract/inference.contract.js';
import {
  loadGoldenReference,
  REFERENCE_DETECTORS,
  type GoldenReference,
  type ReferenceDetector,
} from '../support/golden-reference.js';
import { angleBetween, magnitude, median, relativeDifference, weighRotation } from '../support/velocity-difference.js';
import { readZip } from '../support/zip-content.js';
import { ApiUser } from './support/api-user.js';
import { Installation } from './support/installation.js';
import { parametersOf, uploadScene, type ServoScene } from './support/servo-scene.js';

const CASES = ['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'] as const;
const WITH_RANGE = 'dev-c-mixed6dof';

/** What holds of the median over the moving frames; `every`: distance of the processed frames. */
const LIMITS: Record<ReferenceDetector, { every: number; relative: number; degrees: number }> = {
  SIFT: { every: 4, relative: 0.05, degrees: 2 },
  AKAZE: { every: 2, relative: 0.05, degrees: 3 },
  ORB: { every: 1, relative: 0.2, degrees: 12 },
};
const MAGNITUDE_SHARE = 0.05;
/** Frames slower than this share of the first frame's velocity are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;
/** Speed (m/s and rad/s) that counts as having arrived. */
const ARRIVED = 5e-3;
const ALL_JOBS_MS = 240_000;

const rangeSchema = z.object({
  start_frame: z.int(),
  end_frame: z.int(),
  frame_step: z.int(),
  frames: z.array(z.int()),
  detectors: z.record(z.enum(REFERENCE_DETECTORS), z.object({ ibvs: z.array(z.array(z.number())) })),
});

describe('golden cases through the API', () => {
  let installation: Installation;
  let user: ApiUser;
  const scenes = new Map<string, ServoScene>();
  const references = new Map<string, GoldenReference>();
  const jobs = new Map<string, string>();

  // All jobs at once: the server works on them while the tests look at one after the other.
  beforeAll(async () => {
    installation = await Installation.create({ settings: { ENGINE_PROCESSES: '2' } });
    user = await ApiUser.register((await installation.start()).baseUrl);
    for (const name of CASES) {
      const scene = await uploadScene(user, name);
      scenes.set(name, scene);
      references.set(name, await loadGoldenReference(name));
      for (const detector of REFERENCE_DETECTORS) {
        const { every: frameStep } = LIMITS[detector];
        // So that the last frame is one of them.
        const startFrame = (scene.currentFrameCount - 1) % frameStep;
        const visualize = detector === 'ORB' ? 'all' : 'none';
        const parameters = parametersOf(scene, { detector, frameStep, startFrame, visualize });
        const [jobId] = await user.submit(scene.datasetId, parameters);
        jobs.set(`${name} ${detector}`, jobId);
      }
    }
  });

  afterAll(() => installation.close());

  describe.each(CASES)('%s', (name) => {
    it.each(REFERENCE_DETECTORS)(
      '%s leads where exact correspondences lead, and comes to rest at the goal',
      async (detector) => {
        const limits = LIMITS[detector];
        const { velocity, frames } = await user.result(jobs.get(`${name} ${detector}`)!, ALL_JOBS_MS);
        const scene = scenes.get(name)!;
        const { ideal, detectors } = references.get(name)!;
        const { robust, gt_correspondences: exact } = detectors[detector];
        expect(frames.at(-1)?.frame).toBe(scene.currentFrameCount - 1);

        const resting = MOVING_SHARE * magnitude(ideal.ibvs_grid[0]);
        const moving = frames
          .map(({ frame }, row) => ({ frame, velocity: velocity[row] }))
          .filter(({ frame }) => magnitude(ideal.ibvs_grid[frame]) > resting);
        expect(moving.length).toBeGreaterThan(5);
        const differences = moving.map((row) => relativeDifference(row.velocity, robust!.ibvs[row.frame]));
        const angles = moving.map((row) => angleBetween(row.velocity, exact.ibvs[row.frame], scene.distance));
        const lengths = moving.map((row) => {
          const [own, exactLength] = [row.velocity, exact.ibvs[row.frame]].map((v) =>
            magnitude(weighRotation(v, scene.distance)),
          );
          return Math.abs(own / exactLength - 1);
        });
        expect(median(differences)).toBeLessThanOrEqual(limits.relative);
        expect(median(angles)).toBeLessThanOrEqual(limits.degrees);
        expect(median(lengths)).toBeLessThanOrEqual(MAGNITUDE_SHARE);
        expect(magnitude(velocity.at(-1)!)).toBeLessThanOrEqual(ARRIVED);
      },
      ALL_JOBS_MS,
    );

    it(
      'a goal frame that is one off never comes to rest',
      async () => {
        const scene = scenes.get(name)!;
        const last = scene.currentFrameCount - 1;
        const parameters = {
          detector: 'AKAZE',
          startFrame: last,
          goalFrameId: scene.goalFrame === 0 ? 1 : scene.goalFrame - 1,
        } as const;
        const [jobId] = await user.submit(scene.datasetId, parametersOf(scene, parameters));
        const { velocity } = await user.result(jobId, ALL_JOBS_MS);
        expect(velocity).toHaveLength(1);
        expect(magnitude(velocity[0])).toBeGreaterThan(2 * ARRIVED);
      },
      ALL_JOBS_MS,
    );
  });

  it(
    'a part of the video, with steps, gives the frames start, start + step, … up to the end',
    async () => {
      const file = new URL(`../fixtures/golden/${WITH_RANGE}/reference_range.json`, import.meta.url);
      const range = rangeSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      const scene = scenes.get(WITH_RANGE)!;
      const part = { startFrame: range.start_frame, endFrame: range.end_frame, frameStep: range.frame_step };
      for (const detector of REFERENCE_DETECTORS) {
        const [jobId] = await user.submit(scene.datasetId, parametersOf(scene, { ...part, detector }));
        const { velocity, frames } = await user.result(jobId, ALL_JOBS_MS);
        expect(frames.map(({ frame }) => frame)).toEqual(range.frames);
        const { ibvs } = range.detectors[detector];
        const differences = velocity.map((row, index) => relativeDifference(row, ibvs[index]));
        expect(median(differences)).toBeLessThanOrEqual(LIMITS[detector].relative);
      }
    },
    ALL_JOBS_MS,
  );

  it(
    'the ZIP holds a picture of every frame, the velocities as CSV and JSON, and a plot',
    async () => {
      const jobId = jobs.get(`${WITH_RANGE} ORB`)!;
      const result = await user.result(jobId, ALL_JOBS_MS);
      const content = await readArchive(await user.archive(jobId));
      const pictures = [...content.keys()].filter((name) => name.startsWith('images/'));
      expect(pictures).toHaveLength(result.frames.length);
      for (const picture of pictures) expect([...content.get(picture)!.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
      expect(rowsOf(content.get('velocity.csv')!)).toEqual(result.velocity);
      const stored = JSON.parse(content.get('result.json')!.toString()) as InferenceResult;
      expect(stored.velocity).toEqual(result.velocity);
      expect(content.get('velocity.svg')!.toString()).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    },
    ALL_JOBS_MS,
  );
});

async function readArchive(bytes: Buffer): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'infernode-zip-'));
  try {
    const file = path.join(folder, 'result.zip');
    await writeFile(file, bytes);
    return await readZip(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Velocities of a CSV: a line of names, then frame, six numbers and more in each line. */
function rowsOf(csv: Buffer): number[][] {
  const lines = csv.toString().trimEnd().split('\n').slice(1);
  return lines.map((line) => line.split(',').slice(1, 7).map(Number));
}
