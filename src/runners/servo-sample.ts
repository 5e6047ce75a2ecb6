import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** As many folders above the source as above the build. */
const FOLDER = new URL('../../public/samples/servo/', import.meta.url);

const sampleSchema = z.object({
  goal: z.object({ file: z.string(), frame: z.int(), frames: z.int() }),
  current: z.object({ file: z.string(), frames: z.int() }),
  intrinsics: z.object({ fx: z.number(), fy: z.number(), cx: z.number(), cy: z.number() }),
  distance: z.number(),
  truth: z.array(z.array(z.number()).length(6)),
});

export interface Sample {
  goalPath: string;
  /** Frame of the goal video that shows the goal pose. */
  goalFrame: number;
  goalFrames: number;
  currentPath: string;
  currentFrames: number;
  /** Pinhole camera in pixels. */
  intrinsics: { fx: number; fy: number; cx: number; cy: number };
  /** Metres from the goal camera to the scene. */
  distance: number;
  /** Row by frame of the current video: [vx, vy, vz, wx, wy, wz] from the exact geometry, m/s and rad/s. */
  truth: number[][];
}

/** The videos that come with InferNode. @throws the file system's error when they are not there */
export async function loadSample(): Promise<Sample> {
  const { goal, current, ...numbers } = sampleSchema.parse(
    JSON.parse(await readFile(new URL('sample.json', FOLDER), 'utf8')),
  );
  return {
    goalPath: fileURLToPath(new URL(goal.file, FOLDER)),
    goalFrame: goal.frame,
    goalFrames: goal.frames,
    currentPath: fileURLToPath(new URL(current.file, FOLDER)),
    currentFrames: current.frames,
    ...numbers,
  };
}
