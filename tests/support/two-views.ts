import { createRandom } from '../../src/runners/embedded/vision/random.js';
import { project, rotationOf, type Camera, type CameraPose, type Vector } from '../golden/synthetic/pose.js';

export const VIEW_CAMERA: Camera = { width: 640, height: 480, fx: 540, fy: 530, cx: 320, cy: 240 };

export interface TwoViewOptions {
  count: number;
  /** Depth in metres of the point that a goal pixel shows. */
  depth: (x: number, y: number, random: () => number) => number;
  /** Pose of the current camera in the goal camera's frame. */
  position: Vector;
  rotation: Vector;
  /** Standard deviation in pixels. */
  noise?: number;
  /** This share of the pairs, the first ones, lead anywhere in the current frame. */
  outliers?: number;
  seed?: number;
}

/** Matched pixels of a scene in two views; what the current camera does not see is not among them. */
export function twoViews(options: TwoViewOptions): { count: number; goal: Float64Array; current: Float64Array } {
  const { count, depth, position, rotation, noise = 0, outliers = 0, seed = 5 } = options;
  const random = createRandom(seed);
  const pose: CameraPose = { rotation: rotationOf(rotation), position };
  const goal: number[] = [];
  const current: number[] = [];
  while (goal.length < 2 * count) {
    const x = random() * VIEW_CAMERA.width;
    const y = random() * VIEW_CAMERA.height;
    const isOutlier = goal.length < 2 * Math.round(count * outliers);
    const z = depth(x, y, random);
    const { fx, fy, cx, cy } = VIEW_CAMERA;
    const seen = isOutlier
      ? [random() * VIEW_CAMERA.width, random() * VIEW_CAMERA.height]
      : project(VIEW_CAMERA, pose, [((x - cx) / fx) * z, ((y - cy) / fy) * z, z]);
    if (seen === null || seen[0] < 0 || seen[1] < 0 || seen[0] > VIEW_CAMERA.width || seen[1] > VIEW_CAMERA.height)
      continue;
    goal.push(x, y);
    current.push(seen[0] + noise * gaussian(random), seen[1] + noise * gaussian(random));
  }
  return { count, goal: Float64Array.from(goal), current: Float64Array.from(current) };
}

/** Standard normal deviate (Box & Muller 1958). */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
