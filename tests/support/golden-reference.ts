import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** The detectors that the reference was run with. */
export const REFERENCE_DETECTORS = ['SIFT', 'ORB', 'AKAZE'] as const;
export type ReferenceDetector = (typeof REFERENCE_DETECTORS)[number];

const velocities = z.array(z.array(z.number()).length(6));
const referenceSchema = z.object({
  ideal: z.object({ ibvs_grid: velocities }),
  detectors: z.record(
    z.enum(REFERENCE_DETECTORS),
    z.object({
      /** Of a homography; scenes that are no plane have none. */
      robust: z.object({ ibvs: velocities }).optional(),
      gt_correspondences: z.object({ ibvs: velocities }),
    }),
  ),
});

/** Velocities per frame of a golden case: computed outside this project, or by `tests/golden/synthetic`. */
export type GoldenReference = z.infer<typeof referenceSchema>;

export async function loadGoldenReference(name: string): Promise<GoldenReference> {
  const file = new URL(`../fixtures/golden/${name}/reference.json`, import.meta.url);
  return referenceSchema.parse(JSON.parse(await readFile(file, 'utf8')));
}
