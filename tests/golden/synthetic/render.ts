import { createRandom } from '../../../src/runners/embedded/vision/random.js';
import { rayOf, type CameraPose } from './pose.js';
import { poseAfter, type Scene } from './scenes.js';
import { cast, type Surface } from './surfaces.js';

/** Rays along each side of a pixel: what is finer than a pixel blends, as on a sensor. */
const RAYS = 2;
/** Moments of which a blurred picture is the mean. */
const MOMENTS = 5;

export interface Moment {
  pose: CameraPose;
  time: number;
}

/** The picture that a camera takes: full-range grey, row-major, width * height bytes. */
export function takePicture(scene: Scene, moments: readonly Moment[], noiseSeed: number): Uint8Array {
  const { width, height } = scene.camera;
  const sum = new Float32Array(width * height);
  for (const { pose, time } of moments) expose(scene, scene.surfaces(time), pose, sum);
  const random = createRandom(noiseSeed);
  const rays = RAYS * RAYS * moments.length;
  return Uint8Array.from(sum, (value) => {
    const clean = 128 + (value / rays - 128) * scene.contrast;
    return Math.min(255, Math.max(0, Math.round(clean + scene.noise * gaussian(random))));
  });
}

/** What moves by itself is somewhere else than in the goal frame as long as the current video runs. */
export function timeOf(share: number): number {
  return share + 0.5;
}

/** The moments of the way to the goal in which a frame of the current video is exposed. */
export function momentsOf(scene: Scene, share: number): Moment[] {
  if (scene.exposure === 0 || share === 1) return [{ pose: poseAfter(scene, share), time: timeOf(share) }];
  return Array.from({ length: MOMENTS }, (_, i) => {
    const moment = Math.min(1, Math.max(0, share + scene.exposure * (i / (MOMENTS - 1) - 0.5)));
    return { pose: poseAfter(scene, moment), time: timeOf(moment) };
  });
}

function expose({ camera }: Scene, surfaces: readonly Surface[], pose: CameraPose, sum: Float32Array): void {
  for (let y = 0; y < camera.height; y++) {
    for (let x = 0; x < camera.width; x++) {
      let value = 0;
      for (let ray = 0; ray < RAYS * RAYS; ray++) {
        const u = x + ((ray % RAYS) + 0.5) / RAYS - 0.5;
        const v = y + (Math.floor(ray / RAYS) + 0.5) / RAYS - 0.5;
        const hit = cast(surfaces, pose.position, rayOf(camera, pose, u, v));
        value += hit === null ? 128 : hit.surface.brightness(hit.point);
      }
      sum[y * camera.width + x] += value;
    }
  }
}

/** Standard normal deviate (Box & Muller 1958). */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
