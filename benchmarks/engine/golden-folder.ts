import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Policy } from '../../src/runners/runner.port.js';

const velocities = z.array(z.array(z.number()).length(6));

const caseSchema = z.object({
  camera: z.object({ fx: z.number(), fy: z.number(), cx: z.number(), cy: z.number() }),
  goal_video: z.string().default('goal.mp4'),
  current_video: z.string().default('current.mp4'),
  goal_frame_idx: z.int(),
  current_frame_count: z.int(),
  distance_prior_m: z.number(),
  fps: z.number().optional(),
  T_goal_current: z.array(z.array(z.array(z.number()))).optional(),
});

const perPolicy = z.object({ ibvs: velocities.optional(), cns: velocities.optional() });
const referenceSchema = z.object({
  ideal: z.object({ ibvs_grid: velocities }),
  detectors: z.record(
    z.string(),
    z.object({ upstream: perPolicy, robust: perPolicy, gt_correspondences: perPolicy }).partial(),
  ),
});

/** A pair of videos with known camera motion, and what was computed for it outside this project. */
export interface GoldenCase {
  name: string;
  folder: string;
  goalVideo: string;
  currentVideo: string;
  goalFrame: number;
  frameCount: number;
  /** Metres from the goal camera to the scene. */
  distance: number;
  framesPerSecond: number | null;
  camera: { fx: number; fy: number; cx: number; cy: number };
  /** Poses of the current camera in the goal camera's frame, 4 x 4, one per frame; null where the motion is not known. */
  poses: number[][][] | null;
  reference: z.infer<typeof referenceSchema> | null;
}

/** `robust`: exact matching; `exact`: true positions of the same keypoints; `upstream`: the published front end. */
export type ReferenceKind = 'robust' | 'exact' | 'upstream';

/**
 * All cases of a folder: each a subfolder with `case.json`, the two videos and, if known, `reference.json`.
 * @throws Error when there is none, or one is malformed
 */
export async function loadGoldenFolder(folder: string): Promise<GoldenCase[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const cases: GoldenCase[] = [];
  for (const name of names.sort()) {
    const text = await readTextOrNull(path.join(folder, name, 'case.json'));
    if (text !== null) cases.push(await loadCase(path.join(folder, name), name, text));
  }
  if (cases.length === 0) throw new Error(`No golden case in ${folder}: a case is a folder with a case.json`);
  return cases;
}

/** Velocities per frame that were computed outside this project; null where they are not known. */
export function storedVelocities(
  { reference }: GoldenCase,
  detector: string,
  policy: Policy,
  kind: ReferenceKind,
): number[][] | null {
  const figures = reference?.detectors[detector];
  return figures?.[kind === 'exact' ? 'gt_correspondences' : kind]?.[policy] ?? null;
}

/** A neighbour of the goal frame, for jobs that shall warm an engine up without doing the measured job's work. */
export function neighbourOfGoal({ goalFrame }: GoldenCase): number {
  return goalFrame === 0 ? 1 : goalFrame - 1;
}

async function loadCase(folder: string, name: string, text: string): Promise<GoldenCase> {
  const description = caseSchema.parse(JSON.parse(text));
  const reference = await readTextOrNull(path.join(folder, 'reference.json'));
  return {
    name,
    folder,
    goalVideo: path.join(folder, description.goal_video),
    currentVideo: path.join(folder, description.current_video),
    goalFrame: description.goal_frame_idx,
    frameCount: description.current_frame_count,
    distance: description.distance_prior_m,
    framesPerSecond: description.fps ?? null,
    camera: description.camera,
    poses: description.T_goal_current ?? null,
    reference: reference === null ? null : referenceSchema.parse(JSON.parse(reference)),
  };
}

async function readTextOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
