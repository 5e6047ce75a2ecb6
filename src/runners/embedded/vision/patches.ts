import type { GrayImage, Keypoints } from './features.js';

/** Samples from the keypoint to each side, and pixels of the goal frame from one to the next. */
const RADIUS = 4;
const SPACING_PX = 1.5;
const SIDE = 2 * RADIUS + 1;
const SAMPLES = SIDE * SIDE;
/** Standard deviation of the grey levels below which a patch shows nothing but noise. */
const LEAST_CONTRAST = 3;

/**
 * What each keypoint looks like in its frame: squares of 9 x 9 grey levels around it, row by row and one keypoint after
 * another. All 0 for keypoints too near to the edge.
 */
export function cutPatches(frame: GrayImage, { count, points }: Keypoints): Uint8Array {
  const patches = new Uint8Array(count * SAMPLES);
  const reach = RADIUS * SPACING_PX;
  for (let i = 0; i < count; i++) {
    const x = points[2 * i]!;
    const y = points[2 * i + 1]!;
    if (!isInside(frame, x - reach, y - reach) || !isInside(frame, x + reach, y + reach)) continue;
    let at = i * SAMPLES;
    for (let row = -RADIUS; row <= RADIUS; row++) {
      for (let column = -RADIUS; column <= RADIUS; column++) {
        patches[at++] = Math.round(brightness(frame, x + column * SPACING_PX, y + row * SPACING_PX));
      }
    }
  }
  return patches;
}

/** Compares what keypoints looked like in the goal frame with places in another frame. */
export class PatchComparison {
  /** The selected keypoint's patch, with mean 0 and norm 1. */
  private readonly patch = new Float64Array(SAMPLES);
  private x = 0;
  private y = 0;

  /** @param patches of the keypoints, by `cutPatches` */
  constructor(
    private readonly keypoints: Keypoints,
    private readonly patches: Uint8Array,
    private readonly frame: GrayImage,
  ) {}

  /** Where a keypoint is in the goal frame, pixels. */
  position(keypoint: number): [number, number] {
    return [this.keypoints.points[2 * keypoint]!, this.keypoints.points[2 * keypoint + 1]!];
  }

  /**
   * Chooses the keypoint that is looked for from now on.
   * @returns false when there is too little to see at it
   */
  select(keypoint: number): boolean {
    const { patch, patches } = this;
    [this.x, this.y] = this.position(keypoint);
    const start = keypoint * SAMPLES;
    let sum = 0;
    let square = 0;
    for (let i = 0; i < SAMPLES; i++) {
      const value = patches[start + i]!;
      sum += value;
      square += value * value;
    }
    const mean = sum / SAMPLES;
    const norm = Math.sqrt(Math.max(square - sum * mean, 0));
    if (norm < LEAST_CONTRAST * SIDE) return false;
    for (let i = 0; i < SAMPLES; i++) patch[i] = (patches[start + i]! - mean) / norm;
    return true;
  }

  /**
   * How much the frame looks like the selected keypoint where a homography puts it: correlation of the grey levels, whatever
   * their brightness and contrast. Around the keypoint the homography counts as affine.
   *
   * @param matrix row-major 3 x 3, goal pixels to pixels of the frame
   * @returns 1 at most, -1 at least and where the patch would leave the frame
   */
  likeness(matrix: Float64Array): number {
    const { patch, frame, x, y } = this;
    const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
    if (!(depth > 0)) return -1;
    const u = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth;
    const v = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth;
    const perStep = SPACING_PX / depth;
    const rightU = (matrix[0]! - u * matrix[6]!) * perStep;
    const rightV = (matrix[3]! - v * matrix[6]!) * perStep;
    const downU = (matrix[1]! - u * matrix[7]!) * perStep;
    const downV = (matrix[4]! - v * matrix[7]!) * perStep;
    const reachU = RADIUS * (Math.abs(rightU) + Math.abs(downU));
    const reachV = RADIUS * (Math.abs(rightV) + Math.abs(downV));
    if (!isInside(frame, u - reachU, v - reachV) || !isInside(frame, u + reachU, v + reachV)) return -1;
    let sum = 0;
    let square = 0;
    let product = 0;
    let at = 0;
    for (let row = -RADIUS; row <= RADIUS; row++) {
      let sampleU = u + row * downU - RADIUS * rightU;
      let sampleV = v + row * downV - RADIUS * rightV;
      for (let column = 0; column < SIDE; column++) {
        const value = brightness(frame, sampleU, sampleV);
        sum += value;
        square += value * value;
        product += value * patch[at++]!;
        sampleU += rightU;
        sampleV += rightV;
      }
    }
    const norm = Math.sqrt(Math.max(square - (sum * sum) / SAMPLES, 0));
    return norm > 0 ? product / norm : -1;
  }
}

/** Whether a place lies between pixels that the frame has. */
function isInside({ width, height }: GrayImage, x: number, y: number): boolean {
  return x >= 0 && y >= 0 && x < width - 1 && y < height - 1;
}

/** Grey level between four pixels, bilinear. */
function brightness({ gray, width }: GrayImage, x: number, y: number): number {
  // Truncation is the floor of what is not negative.
  const column = x | 0;
  const row = y | 0;
  const right = x - column;
  const at = row * width + column;
  const top = gray[at]! + (gray[at + 1]! - gray[at]!) * right;
  const bottom = gray[at + width]! + (gray[at + width + 1]! - gray[at + width]!) * right;
  return top + (bottom - top) * (y - row);
}
