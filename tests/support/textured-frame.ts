import { createRandom } from '../../src/runners/embedded/vision/random.js';

export interface GrayFrame {
  gray: Uint8Array;
  width: number;
  height: number;
}

/** Soft-edged discs of random size and brightness; `shiftX`, `shiftY` move the whole scene by pixels. */
export function texturedFrame(width: number, height: number, shiftX = 0, shiftY = 0, seed = 1): GrayFrame {
  const random = createRandom(seed);
  const gray = new Uint8Array(width * height).fill(128);
  const discs = Math.ceil((width * height) / 600);
  for (let disc = 0; disc < discs; disc++) {
    const x = random() * width + shiftX;
    const y = random() * height + shiftY;
    const radius = 3 + 12 * random();
    const brightness = 255 * random();
    for (let row = Math.max(0, Math.floor(y - radius)); row <= Math.min(height - 1, y + radius); row++) {
      for (let column = Math.max(0, Math.floor(x - radius)); column <= Math.min(width - 1, x + radius); column++) {
        const cover = Math.min(1, Math.max(0, radius - Math.hypot(column - x, row - y)));
        const index = row * width + column;
        gray[index] = Math.round(gray[index] * (1 - cover) + brightness * cover);
      }
    }
  }
  return { gray, width, height };
}

const SPECKLE_PX = 5;
const SPECKLES = 128;

/**
 * Fine texture, different everywhere. The scene does not end at the frame's edges.
 * @param place where in the scene each pixel looks, in pixels
 */
export function speckledFrame(
  width: number,
  height: number,
  place: (x: number, y: number) => readonly [number, number],
  seed = 1,
): GrayFrame {
  const { gray: lattice } = noiseFrame(SPECKLES, SPECKLES, seed);
  const at = (column: number, row: number): number =>
    lattice[(row & (SPECKLES - 1)) * SPECKLES + (column & (SPECKLES - 1))];
  const gray = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = place(x, y).map((value) => value / SPECKLE_PX);
      const [column, row] = [Math.floor(u), Math.floor(v)];
      const top = at(column, row) + (at(column + 1, row) - at(column, row)) * (u - column);
      const bottom = at(column, row + 1) + (at(column + 1, row + 1) - at(column, row + 1)) * (u - column);
      gray[y * width + x] = Math.round(top + (bottom - top) * (v - row));
    }
  }
  return { gray, width, height };
}

export function noiseFrame(width: number, height: number, seed = 1): GrayFrame {
  const random = createRandom(seed);
  return { gray: Uint8Array.from({ length: width * height }, () => Math.floor(random() * 256)), width, height };
}

export function blankFrame(width: number, height: number, level = 0): GrayFrame {
  return { gray: new Uint8Array(width * height).fill(level), width, height };
}
