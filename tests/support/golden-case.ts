import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { z } from 'zod';

const GOLDEN_FOLDER = new URL('../fixtures/golden/', import.meta.url);

const caseSchema = z.object({
  camera: z.object({ fx: z.number(), fy: z.number(), cx: z.number(), cy: z.number() }),
  goal_frame_idx: z.number(),
  current_frame_count: z.number(),
  distance_prior_m: z.number(),
});

export interface GoldenCaseFiles {
  goalVideoPath: string;
  currentVideoPath: string;
  intrinsics: { fx: number; fy: number; cx: number; cy: number };
  goalFrame: number;
  currentFrameCount: number;
  distance: number;
}

/** Paths and camera of one committed golden case (synthetic plane seen by a moving pinhole camera). */
export async function loadGoldenCase(name: string): Promise<GoldenCaseFiles> {
  const folder = new URL(`${name}/`, GOLDEN_FOLDER);
  const text = await readFile(new URL('case.json', folder), 'utf8');
  const description = caseSchema.parse(JSON.parse(text));
  const { fx, fy, cx, cy } = description.camera;
  return {
    goalVideoPath: fileURLToPath(new URL('goal.mp4', folder)),
    currentVideoPath: fileURLToPath(new URL('current.mp4', folder)),
    intrinsics: { fx, fy, cx, cy },
    goalFrame: description.goal_frame_idx,
    currentFrameCount: description.current_frame_count,
    distance: description.distance_prior_m,
  };
}
