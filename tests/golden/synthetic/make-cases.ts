/**
 * Makes golden cases of our own: videos of synthetic scenes with known motion, and the velocities that exact
 * correspondences give. Needs `ffmpeg` with libx264.
 *
 *   npx tsx tests/golden/synthetic/make-cases.ts [--out <folder>] [--seed <n>] [<case> …]
 *
 * Without arguments it makes the committed ones anew, in tests/fixtures/golden. Pictures and velocities are the same on
 * every machine; the bytes of the videos depend on the version of the encoder.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVideoDecoder } from '../../../src/platform/media/create-video-decoder.js';
import { Observer } from '../../../src/runners/embedded/vision/observer.js';
import { REFERENCE_DETECTORS } from '../../support/golden-reference.js';
import { silentLogger } from '../../support/silent-logger.js';
import type { GrayFrame } from '../../support/textured-frame.js';
import { exactVelocity, scenePoints } from './exact-velocity.js';
import { matrixOf } from './pose.js';
import { momentsOf, takePicture, timeOf, type Moment } from './render.js';
import { poseAfter, SCENES, type Scene } from './scenes.js';

const RESTING_FRAMES = 3;
const GOAL_FRAMES = 5;
const GOAL_FRAME = 2;
/** Share of the way by which the goal video's neighbouring frames are apart. */
const GOAL_STEP = 0.12;
/** Pixels between the points of the ideal velocity. */
const GRID_PITCH = 40;

const { values: options, positionals: chosen } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: fileURLToPath(new URL('../../fixtures/golden/', import.meta.url)) },
    seed: { type: 'string', default: '0' },
  },
});
for (const name of chosen.length > 0 ? chosen : Object.keys(SCENES)) {
  const create = SCENES[name];
  if (create === undefined) throw new Error(`There is no scene "${name}"; there are ${Object.keys(SCENES).join(', ')}`);
  await makeCase(name, create(Number(options.seed)), join(options.out, name));
  process.stdout.write(`${name}\n`);
}

async function makeCase(name: string, scene: Scene, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const shares = Array.from({ length: scene.movingFrames + RESTING_FRAMES }, (_, i) =>
    Math.min(1, i / scene.movingFrames),
  );
  const current = shares.map((share) => momentsOf(scene, share));
  const goal = Array.from({ length: GOAL_FRAMES }, (_, i): Moment[] => {
    return [{ pose: poseAfter(scene, 1 - GOAL_STEP * Math.abs(i - GOAL_FRAME)), time: 0 }];
  });
  encode(scene, goal, 1, join(folder, 'goal.mp4'));
  encode(scene, current, 2, join(folder, 'current.mp4'));

  const velocities = (pixels: Iterable<readonly [number, number]>): number[][] => {
    const points = scenePoints(scene, pixels);
    return shares.map((share) => rounded(exactVelocity(scene, points, poseAfter(scene, share), timeOf(share))));
  };
  const detectors: Record<string, unknown> = {};
  const goalPicture = await decodeFrame(join(folder, 'goal.mp4'), GOAL_FRAME);
  for (const detector of REFERENCE_DETECTORS) {
    const observer = await Observer.create(detector);
    const { count, points } = observer.findGoal(goalPicture).keypoints;
    observer.dispose();
    const pixels = Array.from({ length: count }, (_, i) => [points[2 * i], points[2 * i + 1]] as const);
    detectors[detector] = { n_target: count, gt_correspondences: { ibvs: velocities(pixels) } };
  }
  const poses = shares.map((share) => poseAfter(scene, share));
  await writeJson(join(folder, 'case.json'), {
    name,
    camera: { ...scene.camera, distortion: 'none' },
    fps: scene.framesPerSecond,
    goal_video: 'goal.mp4',
    goal_frame_idx: GOAL_FRAME,
    goal_frame_count: GOAL_FRAMES,
    current_video: 'current.mp4',
    current_frame_count: shares.length,
    distance_prior_m: scene.distance,
    T_goal_current: poses.map((pose) => matrixOf(pose).map(rounded)),
    T_goal_goalframe: goal.map(([{ pose }]) => matrixOf(pose).map(rounded)),
  });
  await writeJson(join(folder, 'reference.json'), {
    case: name,
    frames: shares.map((_, i) => i),
    ideal: { ibvs_grid: velocities(gridOf(scene)) },
    detectors,
  });
}

function encode(scene: Scene, frames: readonly Moment[][], seed: number, path: string): void {
  const { width, height } = scene.camera;
  const pictures = frames.map((moments, i) => takePicture(scene, moments, 1000 * seed + i));
  const input = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${width}x${height}`, '-r', `${scene.framesPerSecond}`];
  const output = ['-c:v', 'libx264', '-threads', '1', '-preset', 'slow', '-crf', '20', '-pix_fmt', 'yuv420p'];
  const command = ['-v', 'error', '-y', ...input, '-i', '-', ...output, '-bitexact', '-movflags', '+faststart', path];
  execFileSync('ffmpeg', command, { input: Buffer.concat(pictures) });
}

async function decodeFrame(path: string, index: number): Promise<GrayFrame> {
  const decoder = createVideoDecoder({ logger: silentLogger });
  const plan = { start: index, end: index, step: 1 };
  for await (const { gray, width, height } of decoder.frames(path, plan, { signal: AbortSignal.timeout(60_000) })) {
    return { gray, width, height };
  }
  throw new Error(`${path} has no frame ${index}`);
}

function* gridOf({ camera: { width, height } }: Scene): Generator<readonly [number, number]> {
  for (let v = GRID_PITCH / 2; v < height; v += GRID_PITCH) {
    for (let u = GRID_PITCH / 2; u < width; u += GRID_PITCH) yield [u, v];
  }
}

/** Nine digits: far finer than what is compared, and a file half as large. */
function rounded(values: readonly number[]): number[] {
  return values.map((value) => Number(value.toPrecision(9)));
}

async function writeJson(path: string, content: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(content)}\n`);
}
