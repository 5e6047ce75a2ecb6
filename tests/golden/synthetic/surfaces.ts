import type { Vector } from './pose.js';
import type { Texture } from './texture.js';

/** Something that a ray can meet. */
export interface Surface {
  /** Multiples of `direction` from `origin` to the surface, above zero; Infinity when the ray misses it. */
  distance(origin: Vector, direction: Vector): number;
  /** Brightness 0..255 at a point of the surface. */
  brightness(point: Vector): number;
  /** Whether its points stay where they are while the videos run. */
  readonly isStatic: boolean;
}

export interface RectangleOptions {
  centre: Vector;
  /** Half of each side; the two are perpendicular. Metres. */
  right: Vector;
  down: Vector;
  texture: Texture;
  isStatic?: boolean;
}

/** A textured rectangle, seen from both sides. */
export function rectangle({ centre, right, down, texture, isStatic = true }: RectangleOptions): Surface {
  const normal: Vector = [
    right[1] * down[2] - right[2] * down[1],
    right[2] * down[0] - right[0] * down[2],
    right[0] * down[1] - right[1] * down[0],
  ];
  const rightSquare = dot(right, right);
  const downSquare = dot(down, down);
  const [halfWidth, halfHeight] = [Math.sqrt(rightSquare), Math.sqrt(downSquare)];
  const offset = dot(normal, centre);
  return {
    isStatic,
    distance: (origin, direction) => {
      const distance = (offset - dot(normal, origin)) / dot(normal, direction);
      if (!(distance > 0)) return Infinity;
      const x = origin[0] + distance * direction[0] - centre[0];
      const y = origin[1] + distance * direction[1] - centre[1];
      const z = origin[2] + distance * direction[2] - centre[2];
      if (Math.abs(x * right[0] + y * right[1] + z * right[2]) > rightSquare) return Infinity;
      if (Math.abs(x * down[0] + y * down[1] + z * down[2]) > downSquare) return Infinity;
      return distance;
    },
    brightness: (point) => {
      const from: Vector = [point[0] - centre[0], point[1] - centre[1], point[2] - centre[2]];
      return texture.at(dot(from, right) / halfWidth, dot(from, down) / halfHeight);
    },
  };
}

/** Steps of the search for the point where a ray meets a relief. */
const RELIEF_STEPS = 24;

/**
 * A surface z = height(x, y) whose slopes are gentle enough that no ray of the camera meets it twice; the texture is laid on
 * along z.
 */
export function relief(height: (x: number, y: number) => number, texture: Texture): Surface {
  return {
    isStatic: true,
    distance: (origin, direction) => {
      let distance = (height(origin[0], origin[1]) - origin[2]) / direction[2];
      for (let step = 0; step < RELIEF_STEPS; step++) {
        const x = origin[0] + distance * direction[0];
        const y = origin[1] + distance * direction[1];
        distance = (height(x, y) - origin[2]) / direction[2];
      }
      return distance > 0 ? distance : Infinity;
    },
    brightness: ([x, y]) => texture.at(x, y),
  };
}

export interface Hit {
  point: Vector;
  surface: Surface;
}

/** The first surface that a ray meets; null when it meets none. */
export function cast(surfaces: readonly Surface[], origin: Vector, direction: Vector): Hit | null {
  let nearest = Infinity;
  let surface: Surface | null = null;
  for (const candidate of surfaces) {
    const distance = candidate.distance(origin, direction);
    if (distance >= nearest) continue;
    nearest = distance;
    surface = candidate;
  }
  if (surface === null) return null;
  const point: Vector = [
    origin[0] + nearest * direction[0],
    origin[1] + nearest * direction[1],
    origin[2] + nearest * direction[2],
  ];
  return { point, surface };
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
