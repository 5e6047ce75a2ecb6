/** Largest image keypoints are searched on: 4096 x 2304, for which most detectors need about a gigabyte. */
const MAXIMUM_PIXELS = 4096 * 2304;

/** The image keypoints are searched on, and the way back to the frame. */
export interface WorkingImage {
  gray: Uint8Array;
  width: number;
  height: number;
  /** Positions x0, y0, x1, y1, … in this image as positions in the frame. */
  toFrame(points: Float32Array): Float32Array;
}

/**
 * The frame itself; a frame beyond `maximumPixels` is shrunk by a whole factor first, so that memory and time stay bounded.
 */
export function workingImage(
  gray: Uint8Array,
  width: number,
  height: number,
  maximumPixels = MAXIMUM_PIXELS,
): WorkingImage {
  if (width * height <= maximumPixels) return { gray, width, height, toFrame: (points) => points };
  const factor = Math.ceil(Math.sqrt((width * height) / maximumPixels));
  const smallWidth = Math.floor(width / factor);
  const smallHeight = Math.floor(height / factor);
  return {
    gray: shrink(gray, width, smallWidth, smallHeight, factor),
    width: smallWidth,
    height: smallHeight,
    // Pixel centres are integers: the first small pixel lies in the middle of the first factor x factor block.
    toFrame: (points) => points.map((value) => (value + 0.5) * factor - 0.5),
  };
}

/** Mean of each factor x factor block. */
function shrink(gray: Uint8Array, pitch: number, width: number, height: number, factor: number): Uint8Array {
  const small = new Uint8Array(width * height);
  const sums = new Uint32Array(width);
  const area = factor * factor;
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = y * factor; row < (y + 1) * factor; row++) {
      for (let x = 0; x < width * factor; x++) sums[Math.floor(x / factor)]! += gray[row * pitch + x]!;
    }
    for (let x = 0; x < width; x++) small[y * width + x] = Math.round(sums[x]! / area);
  }
  return small;
}
