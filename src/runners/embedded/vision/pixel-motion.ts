import type { Intrinsics } from '../../runner.port.js';
import type { RelativePose } from './relative-pose.js';

/** Where pixels of the goal frame go in the current frame, by how far away the point is that they show. */
export class PixelMotion {
  /** The place found last, in pixels of the current frame. */
  x = 0;
  y = 0;
  /** Pixels by which that place moves when the inverse depth grows by 1. */
  gain = 0;

  /** Row-major homography of pixels for points at an infinite distance: K R inverse(K). */
  private readonly far: Float64Array;
  /** What a point adds to that by its inverse depth: K t. */
  private readonly way: Float64Array;
  private readonly homography = new Float64Array(9);

  constructor({ rotation: r, translation: t }: RelativePose, { fx, fy, cx, cy }: Intrinsics) {
    this.far = new Float64Array(9);
    for (let row = 0; row < 3; row++) {
      // A row of K R.
      const [scale, centre] = row === 0 ? [fx, cx] : row === 1 ? [fy, cy] : [0, 1];
      const [a, b, c] = [0, 1, 2].map((column) => scale * r[3 * row + column]! + centre * r[6 + column]!) as Three;
      this.far.set([a / fx, b / fy, c - (a * cx) / fx - (b * cy) / fy], 3 * row);
    }
    this.way = Float64Array.of(fx * t[0]! + cx * t[2]!, fy * t[1]! + cy * t[2]!, t[2]!);
  }

  /**
   * Finds the place of a goal pixel.
   * @param inverseDepth 1 / depth in the goal camera, in units of the way between the cameras
   * @returns false when the point would be behind the current camera
   */
  project(x: number, y: number, inverseDepth: number): boolean {
    const { far, way } = this;
    const z = far[6]! * x + far[7]! * y + far[8]! + inverseDepth * way[2]!;
    if (!(z > 0)) return false;
    this.x = (far[0]! * x + far[1]! * y + far[2]! + inverseDepth * way[0]!) / z;
    this.y = (far[3]! * x + far[4]! * y + far[5]! + inverseDepth * way[1]!) / z;
    this.gain = Math.hypot(way[0]! - this.x * way[2]!, way[1]! - this.y * way[2]!) / z;
    return true;
  }

  /** The homography of a plane parallel to the goal's image, goal pixels to current pixels; valid until the next call. */
  homographyAt(inverseDepth: number): Float64Array {
    const { far, way, homography } = this;
    homography.set(far);
    for (let row = 0; row < 3; row++) homography[3 * row + 2]! += inverseDepth * way[row]!;
    return homography;
  }
}

type Three = [number, number, number];
