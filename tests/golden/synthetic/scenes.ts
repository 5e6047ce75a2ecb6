import { rotationOf, type Camera, type CameraPose, type Vector } from './pose.js';
import { rectangle, relief, type Surface } from './surfaces.js';
import { Texture, type TextureKind } from './texture.js';

/** What a pair of synthetic videos shows, and how the camera comes to its goal. */
export interface Scene {
  camera: Camera;
  framesPerSecond: number;
  /** Metres from the goal camera to the scene. */
  distance: number;
  /** All surfaces at a time: 0 in the goal frame, 0.5 to 1.5 while the current video runs. In the goal camera's frame. */
  surfaces(time: number): Surface[];
  /** Where the current video starts: position in metres and rotation vector in radians, in the goal camera's frame. */
  start: { position: Vector; rotation: Vector };
  /** Frames until the camera has arrived; a few at rest follow. */
  movingFrames: number;
  /** Share of the way to the goal within which one picture is exposed. */
  exposure: number;
  /** Standard deviation of the sensor's noise, grey levels. */
  noise: number;
  /** Contrast of the scene against mid-grey. */
  contrast: number;
}

const CAMERA: Camera = { width: 640, height: 480, fx: 540, fy: 540, cx: 320, cy: 240 };
const OTHER_CAMERA: Camera = { width: 640, height: 480, fx: 610, fy: 608, cx: 325, cy: 236 };
const USUAL = { camera: CAMERA, framesPerSecond: 25, movingFrames: 22, exposure: 0, noise: 1, contrast: 1 };

/** Where the camera is after a share of the way: it starts and arrives gently. */
export function poseAfter({ start }: Scene, share: number): CameraPose {
  const left = 1 - share * share * (3 - 2 * share);
  const scaled = ([x, y, z]: Vector): Vector => [x * left, y * left, z * left];
  return { rotation: rotationOf(scaled(start.rotation)), position: scaled(start.position) };
}

/** The scenes by name; a seed other than 0 gives other textures, shapes and motions of the same kind. */
export const SCENES: Record<string, (seed: number) => Scene> = {
  'box-and-wall': (seed) => {
    const wall = plane(0.95, [0.12, -0.08], texture('marks', seed, 1, 700));
    const box = boxOf([0.1, 0.03, 0.62], [0.15, 0.12, 0.14], texture('marks', seed, 2, 900));
    return {
      ...USUAL,
      distance: 0.8,
      surfaces: () => [wall, ...box],
      start: motion(seed, [0.11, -0.07, -0.06], [0.08, 0.1, -0.12]),
    };
  },
  staircase: (seed) => {
    const steps = texture('clouds', seed, 3, 600);
    const surfaces: Surface[] = [];
    for (let step = 0; step < 5; step++) {
      const top = -0.42 + 0.17 * step;
      const z = 0.95 - 0.1 * step;
      surfaces.push(
        rectangle({ centre: [0, top + 0.085, z], right: [0.9, 0, 0], down: [0, 0.085, 0], texture: steps }),
      );
      surfaces.push(
        rectangle({ centre: [0, top + 0.17, z - 0.05], right: [0.9, 0, 0], down: [0, 0, 0.05], texture: steps }),
      );
    }
    const floor = plane(1.4, [0, 0], texture('marks', seed, 4, 420));
    return {
      ...USUAL,
      camera: OTHER_CAMERA,
      distance: 0.75,
      surfaces: () => [floor, ...surfaces],
      start: motion(seed, [-0.1, -0.05, 0.05], [-0.07, 0.09, 0.2]),
    };
  },
  relief: (seed) => {
    const phase = 0.7 * seed;
    const height = (x: number, y: number): number =>
      0.75 + 0.1 * Math.sin(9 * x + phase) * Math.cos(8 * y - 2 * phase) + 0.1 * x;
    const surface = relief(height, texture('clouds', seed, 5, 620));
    return {
      ...USUAL,
      distance: 0.7,
      surfaces: () => [surface],
      start: motion(seed, [0.09, 0.08, 0.07], [-0.06, 0.1, 0.25]),
    };
  },
  'steep-plane': (seed) => {
    const surface = plane(0.7, [1.1, -0.35], texture('marks', seed, 6, 700));
    return {
      ...USUAL,
      distance: 0.65,
      surfaces: () => [surface],
      start: motion(seed, [-0.08, 0.06, -0.07], [0.09, -0.12, 0.1]),
    };
  },
  'roll-60': (seed) => {
    const surface = plane(0.6, [0.1, 0.2], texture('cells', seed, 7, 700));
    return {
      ...USUAL,
      camera: OTHER_CAMERA,
      distance: 0.6,
      surfaces: () => [surface],
      start: motion(seed, [0.04, -0.03, 0.02], [0.05, 0.04, Math.PI / 3]),
    };
  },
  'zoom-in': (seed) => {
    const surface = plane(0.5, [-0.15, 0.1], texture('clouds', seed, 8, 700));
    return {
      ...USUAL,
      distance: 0.5,
      surfaces: () => [surface],
      start: motion(seed, [0.02, 0.03, -0.3], [0.03, -0.04, 0.05]),
    };
  },
  'faint-blurred': (seed) => {
    const surface = plane(0.6, [0.2, 0.1], texture('marks', seed, 9, 560));
    return {
      ...USUAL,
      distance: 0.6,
      surfaces: () => [surface],
      start: motion(seed, [-0.09, 0.05, -0.05], [0.05, 0.08, -0.15]),
      exposure: 0.02,
      noise: 2,
      contrast: 0.45,
    };
  },
  'moving-object': (seed) => {
    const wall = plane(0.8, [0.15, 0.12], texture('marks', seed, 10, 800));
    const poster = texture('discs', seed, 11, 800);
    return {
      ...USUAL,
      distance: 0.75,
      surfaces: (time) => [
        wall,
        rectangle({
          centre: [-0.1 + 0.16 * time, 0.05 - 0.12 * time, 0.6],
          right: [0.14, 0, 0],
          down: [0, 0.11, 0],
          texture: poster,
          isStatic: false,
        }),
      ],
      start: motion(seed, [0.08, 0.06, -0.05], [-0.06, 0.07, 0.15]),
    };
  },
  'box-and-moving-object': (seed) => {
    const wall = plane(1, [-0.1, 0.1], texture('marks', seed, 12, 700));
    const box = boxOf([-0.15, 0.05, 0.65], [0.13, 0.14, 0.12], texture('discs', seed, 13, 800));
    const poster = texture('discs', seed, 14, 800);
    return {
      ...USUAL,
      distance: 0.8,
      surfaces: (time) => [
        wall,
        ...box,
        rectangle({
          centre: [0.2 - 0.14 * time, -0.12 + 0.16 * time, 0.75],
          right: [0.1, 0, 0],
          down: [0, 0.09, 0],
          texture: poster,
          isStatic: false,
        }),
      ],
      start: motion(seed, [-0.1, 0.06, 0.04], [0.07, -0.08, 0.1]),
    };
  },
};

function texture(kind: TextureKind, seed: number, number: number, texelsPerMetre: number): Texture {
  return new Texture(kind, 1000 * seed + number, texelsPerMetre);
}

/** For seeds other than 0 signs and sizes of the components change. */
function motion(seed: number, position: Vector, rotation: Vector): Scene['start'] {
  const vary = (value: number, i: number): number =>
    value * (seed === 0 ? 1 : Math.sin(2.4 * seed + 1.7 * i) + Math.sign(Math.sin(2.4 * seed + 1.7 * i)) * 0.3);
  const around = rotation.map((value, i) => vary(value, i + 3)) as Vector;
  return { position: position.map(vary) as Vector, rotation: around };
}

/** A wide plane that the optical axis meets at a distance; tilts in radians about the vertical and the horizontal axis. */
function plane(distance: number, [aboutVertical, aboutHorizontal]: [number, number], painted: Texture): Surface {
  const right: Vector = [4 * Math.cos(aboutVertical), 0, 4 * Math.sin(aboutVertical)];
  const away: Vector = [-Math.sin(aboutVertical), 0, Math.cos(aboutVertical)];
  const [cosine, sine] = [Math.cos(aboutHorizontal), Math.sin(aboutHorizontal)];
  return rectangle({
    centre: [0, 0, distance],
    right,
    down: [4 * sine * away[0], 4 * cosine, 4 * sine * away[2]],
    texture: painted,
  });
}

/** A box by the centre of its front and half of its sides (width, height, depth). */
function boxOf([x, y, z]: Vector, [width, height, depth]: Vector, painted: Texture): Surface[] {
  const sides: [Vector, Vector, Vector][] = [
    [
      [x, y, z],
      [width, 0, 0],
      [0, height, 0],
    ],
    [
      [x - width, y, z + depth],
      [0, 0, depth],
      [0, height, 0],
    ],
    [
      [x + width, y, z + depth],
      [0, 0, depth],
      [0, height, 0],
    ],
    [
      [x, y - height, z + depth],
      [width, 0, 0],
      [0, 0, depth],
    ],
    [
      [x, y + height, z + depth],
      [width, 0, 0],
      [0, 0, depth],
    ],
  ];
  return sides.map(([centre, right, down]) => rectangle({ centre, right, down, texture: painted }));
}
