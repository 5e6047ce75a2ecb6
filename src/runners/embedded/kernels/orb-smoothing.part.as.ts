/**
 * Smoothing of byte images, only where it is needed: a smoothed image is made of square tiles, and those that no keypoint's
 * surroundings touch are left out.
 */

/** Taps on either side of the centre. */
const RADIUS: i32 = 3;
/** Side of a tile, and the bytes of a row of it as float32. */
const TILE: i32 = 32;
const SUMS_PITCH: usize = <usize>TILE << 2;
/** Source pixels of a row of a tile, a multiple of 8, as float32. */
const LINE: i32 = TILE + 8;
const LINE_PITCH: usize = <usize>LINE << 2;
/** Rows that a tile is made from. */
const ROWS: i32 = TILE + 2 * RADIUS;
/** 1.5 * 2^23: added to a float below 2^22 it rounds it, half to even, into the low bits. */
const ROUNDING: f32 = 12582912;

@inline
function tiles(length: i32, border: i32): i32 {
  return (length - 2 * border + TILE - 1) / TILE;
}

/** Bytes per row of a smoothed image, which begins `border` pixels inside of the source. */
export function smoothedPitch(width: i32, border: i32): i32 {
  return tiles(width, border) * TILE;
}

/** Bytes of a smoothed image. */
export function smoothedBytes(width: i32, height: i32, border: i32): usize {
  return <usize>smoothedPitch(width, border) * <usize>(tiles(height, border) * TILE);
}

/** Bytes of scratch memory that `smoothAround` needs. */
export function smoothingScratchBytes(width: i32, height: i32, border: i32): usize {
  return <usize>ROWS * (LINE_PITCH + SUMS_PITCH) + <usize>(tiles(width, border) * tiles(height, border));
}

/**
 * Gaussian of 7x7 taps and the given standard deviation, in float32 and rounded, of all pixels less than `reach` rows and
 * columns away from one of `pixels`, which themselves are at least `border` + `reach` from each edge. Pixel (x, y) comes to
 * (x - border, y - border) of the target. Of the source, TILE rows after the last one must be readable.
 */
export function smoothAround(
  source: usize, width: i32, height: i32, border: i32, pixels: usize, count: i32, reach: i32, sigma: f64,
  target: usize, scratch: usize,
): void {
  const lines = scratch;
  const sums = lines + <usize>ROWS * LINE_PITCH;
  const wanted = sums + <usize>ROWS * SUMS_PITCH;
  const tilesPerRow = tiles(width, border);
  const tileRows = tiles(height, border);
  markTiles(width, border, pixels, count, reach, wanted, tilesPerRow, tileRows);
  const exponent = -1 / (2 * sigma * sigma);
  const weight1 = Math.exp(exponent);
  const weight2 = Math.exp(4 * exponent);
  const weight3 = Math.exp(9 * exponent);
  const norm = 1 / (1 + 2 * (weight1 + weight2 + weight3));
  const k0 = f32x4.splat(<f32>norm);
  const k1 = f32x4.splat(<f32>(weight1 * norm));
  const k2 = f32x4.splat(<f32>(weight2 * norm));
  const k3 = f32x4.splat(<f32>(weight3 * norm));
  const pitch = <usize>(tilesPerRow * TILE);
  for (let row = 0; row < tileRows; row++) {
    for (let column = 0; column < tilesPerRow; column++) {
      if (!load<u8>(wanted + <usize>(row * tilesPerRow + column))) continue;
      const x = column * TILE;
      const y = row * TILE;
      const corner = source + <usize>(y + border - RADIUS) * <usize>width + <usize>(x + border - RADIUS);
      toFloats(corner, <usize>width, lines);
      smoothRows(lines, sums, k0, k1, k2, k3);
      smoothColumns(sums, target + <usize>y * pitch + <usize>x, pitch, k0, k1, k2, k3);
    }
  }
}

function markTiles(
  width: i32, border: i32, pixels: usize, count: i32, reach: i32, wanted: usize, tilesPerRow: i32, tileRows: i32,
): void {
  memory.fill(wanted, 0, <usize>(tilesPerRow * tileRows));
  for (let i = 0; i < count; i++) {
    const pixel = load<i32>(pixels + (<usize>i << 2));
    const x = pixel % width - border;
    const y = pixel / width - border;
    for (let row = (y - reach) / TILE; row <= (y + reach) / TILE; row++) {
      for (let column = (x - reach) / TILE; column <= (x + reach) / TILE; column++) {
        store<u8>(wanted + <usize>(row * tilesPerRow + column), 1);
      }
    }
  }
}

function toFloats(source: usize, pitch: usize, lines: usize): void {
  for (let row = 0; row < ROWS; row++) {
    for (let x: usize = 0; x < <usize>LINE; x += 8) {
      const words = v128.load_ext<u8>(source + x);
      v128.store(lines + (x << 2), f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(words)));
      v128.store(lines + (x << 2), f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(words)), 16);
    }
    source += pitch;
    lines += LINE_PITCH;
  }
}

/** Horizontal pass, added up from left to right as OpenCV does. */
function smoothRows(lines: usize, sums: usize, k0: v128, k1: v128, k2: v128, k3: v128): void {
  for (let row = 0; row < ROWS; row++) {
    for (let x: usize = 0; x < SUMS_PITCH; x += 16) {
      const p = lines + x;
      let sum = f32x4.mul(v128.load(p), k3);
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 4), k2));
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 8), k1));
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 12), k0));
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 16), k1));
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 20), k2));
      sum = f32x4.add(sum, f32x4.mul(v128.load(p, 24), k3));
      v128.store(sums + x, sum);
    }
    lines += LINE_PITCH;
    sums += SUMS_PITCH;
  }
}

/** Vertical pass, rounded. */
function smoothColumns(sums: usize, target: usize, pitch: usize, k0: v128, k1: v128, k2: v128, k3: v128): void {
  for (let y = 0; y < TILE; y++) {
    for (let x: usize = 0; x < <usize>TILE; x += 16) {
      const p = sums + (x << 2);
      const low = i16x8.narrow_i32x4_u(column(p, k0, k1, k2, k3), column(p + 16, k0, k1, k2, k3));
      const high = i16x8.narrow_i32x4_u(column(p + 32, k0, k1, k2, k3), column(p + 48, k0, k1, k2, k3));
      v128.store(target + x, i8x16.narrow_i16x8_u(low, high));
    }
    sums += SUMS_PITCH;
    target += pitch;
  }
}

@inline
function column(p: usize, k0: v128, k1: v128, k2: v128, k3: v128): v128 {
  let sum = f32x4.mul(v128.load(p, 3 * SUMS_PITCH), k0);
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(p, 2 * SUMS_PITCH), v128.load(p, 4 * SUMS_PITCH)), k1));
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(p, SUMS_PITCH), v128.load(p, 5 * SUMS_PITCH)), k2));
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(p), v128.load(p, 6 * SUMS_PITCH)), k3));
  return v128.and(f32x4.add(sum, f32x4.splat(ROUNDING)), i32x4.splat(0xffff));
}
