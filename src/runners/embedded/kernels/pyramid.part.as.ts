/** Shrinking and smoothing of byte images. */

/** Outputs made from one table entry, and the entry's layout: first source byte, lane indices, weights. */
const BLOCK: i32 = 8;
const ENTRY_BYTES: usize = 64;
const ENTRY_INDICES: usize = 16;
const ENTRY_LEFT: usize = 32;
const ENTRY_RIGHT: usize = 48;
/** Weights are integers that add up to this. */
const ONE: i32 = 256;
/** Moves products of unsigned bytes and weights into the range of signed 16-bit integers. */
const SIGN: i32 = 0x8000;

/** Source position of an output pixel: pixel centres aligned, clamped to the first and the last source pixel. */
@inline
function sourcePosition(index: i32, source: i32, target: i32): f64 {
  // The ratio as OpenCV computes it: the reciprocal of a quotient, not the inverse quotient.
  const position = (<f64>index + 0.5) * (1.0 / (<f64>target / <f64>source)) - 0.5;
  return min(max(position, 0.0), <f64>(source - 1));
}

@inline
function weightOf(position: f64): i32 {
  return <i32>nearest((position - floor(position)) * <f64>ONE);
}

/** Bytes of the table for rows of `width` outputs. */
@inline
function tableBytes(width: i32): usize {
  return <usize>((width + BLOCK - 1) / BLOCK) * ENTRY_BYTES;
}

/** Which two source pixels make up each output of a row, and with what weights. */
function fillTable(source: i32, target: i32, table: usize): void {
  for (let x = 0; x < target; x += BLOCK) {
    const entry = table + <usize>(x / BLOCK) * ENTRY_BYTES;
    const first = <i32>floor(sourcePosition(x, source, target));
    store<i32>(entry, first);
    for (let lane = 0; lane < BLOCK; lane++) {
      const position = sourcePosition(min(x + lane, target - 1), source, target);
      const left = <i32>floor(position);
      const weight = weightOf(position);
      store<u8>(entry + ENTRY_INDICES + lane, <u8>(left - first));
      store<u8>(entry + ENTRY_INDICES + BLOCK + lane, <u8>(min(left + 1, source - 1) - first));
      store<i16>(entry + ENTRY_LEFT + (<usize>lane << 1), <i16>(ONE - weight));
      store<i16>(entry + ENTRY_RIGHT + (<usize>lane << 1), <i16>weight);
    }
  }
}

/** One source row shrunk: sums of 256 times the grey level, moved into the signed range, as int16. */
@inline
function shrinkRow(row: usize, table: usize, width: i32, out: usize): void {
  for (let x = 0; x < width; x += BLOCK) {
    const pixels = i8x16.swizzle(v128.load(row + load<i32>(table)), v128.load(table, ENTRY_INDICES));
    const left = i16x8.mul(i16x8.extend_low_i8x16_u(pixels), v128.load(table, ENTRY_LEFT));
    const right = i16x8.mul(i16x8.extend_high_i8x16_u(pixels), v128.load(table, ENTRY_RIGHT));
    v128.store(out, v128.xor(i16x8.add(left, right), i16x8.splat(<i16>SIGN)));
    table += ENTRY_BYTES;
    out += BLOCK << 1;
  }
}

/** Bytes of scratch memory that `shrink` needs. */
export function shrinkScratchBytes(targetWidth: i32): usize {
  return tableBytes(targetWidth) + 2 * (<usize>(targetWidth + BLOCK) << 1) + 16;
}

/**
 * Bilinear resize to a size smaller by less than a factor of 1.8, with the fixed-point arithmetic of cv::resize's
 * INTER_LINEAR_EXACT. 16 bytes after both planes must be accessible; those after the target are overwritten.
 */
export function shrink(
  source: usize, sourceWidth: i32, sourceHeight: i32, target: usize, width: i32, height: i32, scratch: usize,
): void {
  fillTable(sourceWidth, width, scratch);
  const rows = scratch + tableBytes(width);
  const rowBytes = <usize>(width + BLOCK) << 1;
  // Even source rows lie in the first row buffer, odd ones in the second.
  let known = -1;
  const bias = i32x4.splat(SIGN * ONE + (ONE * ONE) / 2);
  for (let y = 0; y < height; y++) {
    const position = sourcePosition(y, sourceHeight, height);
    const top = <i32>floor(position);
    const bottom = min(top + 1, sourceHeight - 1);
    while (known < bottom) {
      known++;
      shrinkRow(source + <usize>known * <usize>sourceWidth, scratch, width, rows + <usize>(known & 1) * rowBytes);
    }
    const weight = weightOf(position);
    const weights = i32x4.splat((weight << 16) | (ONE - weight));
    let upper = rows + <usize>(top & 1) * rowBytes;
    let lower = rows + <usize>(bottom & 1) * rowBytes;
    let out = target + <usize>y * <usize>width;
    const end = out + <usize>width;
    while (out < end) {
      const a = v128.load(upper);
      const b = v128.load(lower);
      const low = i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), weights);
      const high = i32x4.dot_i16x8_s(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), weights);
      const words = i16x8.narrow_i32x4_u(
        i32x4.shr_u(i32x4.add(low, bias), 16),
        i32x4.shr_u(i32x4.add(high, bias), 16),
      );
      v128.store64_lane(out, i8x16.narrow_i16x8_u(words, words), 0);
      upper += 16;
      lower += 16;
      out += BLOCK;
    }
  }
}

/** Taps on either side of the centre. */
const RADIUS: i32 = 3;
/** 1.5 * 2^23: added to a float below 2^22 it rounds it, half to even, into the low bits. */
const ROUNDING: f32 = 12582912;

/** Bytes of scratch memory that `smooth` needs. */
export function smoothScratchBytes(width: i32): usize {
  return (<usize>(width + 32) << 2) * (2 * RADIUS + 2);
}

/**
 * Gaussian of 7x7 taps and the given standard deviation, in float32 and rounded, of the pixels at least `border` (3 or
 * more) from each edge; the others are left as they are. 16 bytes after both planes must be accessible.
 */
export function smooth(
  source: usize, target: usize, width: i32, height: i32, border: i32, sigma: f64, scratch: usize,
): void {
  const rowBytes = <usize>(width + 32) << 2;
  const line = scratch + (2 * RADIUS + 1) * rowBytes;
  let norm = 1.0;
  for (let i = 1; i <= RADIUS; i++) norm += 2 * Math.exp(<f64>(-i * i) / (2 * sigma * sigma));
  const k0 = f32x4.splat(<f32>(1 / norm));
  const k1 = f32x4.splat(<f32>(Math.exp(-1 / (2 * sigma * sigma)) / norm));
  const k2 = f32x4.splat(<f32>(Math.exp(-4 / (2 * sigma * sigma)) / norm));
  const k3 = f32x4.splat(<f32>(Math.exp(-9 / (2 * sigma * sigma)) / norm));
  const last = height - border - 1;
  for (let y = border - RADIUS; y <= last + RADIUS; y++) {
    smoothRow(source + <usize>y * <usize>width, line, width, border, scratch + <usize>(y % 7) * rowBytes, k0, k1, k2, k3);
    const middle = y - RADIUS;
    if (middle < border) continue;
    const r0 = scratch + <usize>(middle % 7) * rowBytes;
    const a1 = scratch + <usize>((middle + 6) % 7) * rowBytes;
    const b1 = scratch + <usize>((middle + 1) % 7) * rowBytes;
    const a2 = scratch + <usize>((middle + 5) % 7) * rowBytes;
    const b2 = scratch + <usize>((middle + 2) % 7) * rowBytes;
    const a3 = scratch + <usize>((middle + 4) % 7) * rowBytes;
    const b3 = scratch + <usize>((middle + 3) % 7) * rowBytes;
    const out = target + <usize>middle * <usize>width;
    for (let x = border; x < width - border; x += 8) {
      const i = <usize>x << 2;
      const low = column(r0 + i, a1 + i, b1 + i, a2 + i, b2 + i, a3 + i, b3 + i, k0, k1, k2, k3);
      const j = i + 16;
      const high = column(r0 + j, a1 + j, b1 + j, a2 + j, b2 + j, a3 + j, b3 + j, k0, k1, k2, k3);
      const words = i16x8.narrow_i32x4_u(low, high);
      v128.store64_lane(out + x, i8x16.narrow_i16x8_u(words, words), 0);
    }
  }
}

/** Horizontal pass, added up from left to right. */
@inline
function smoothRow(
  row: usize, line: usize, width: i32, border: i32, out: usize, k0: v128, k1: v128, k2: v128, k3: v128,
): void {
  for (let x = 0; x < width; x += 8) {
    const words = v128.load_ext<u8>(row + x);
    const p = line + (<usize>x << 2);
    v128.store(p, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(words)));
    v128.store(p, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(words)), 16);
  }
  for (let x = border; x < width - border + 4; x += 4) {
    const p = line + (<usize>x << 2);
    let sum = f32x4.mul(v128.load(p - 12), k3);
    sum = f32x4.add(sum, f32x4.mul(v128.load(p - 8), k2));
    sum = f32x4.add(sum, f32x4.mul(v128.load(p - 4), k1));
    sum = f32x4.add(sum, f32x4.mul(v128.load(p), k0));
    sum = f32x4.add(sum, f32x4.mul(v128.load(p + 4), k1));
    sum = f32x4.add(sum, f32x4.mul(v128.load(p + 8), k2));
    sum = f32x4.add(sum, f32x4.mul(v128.load(p + 12), k3));
    v128.store(out + (<usize>x << 2), sum);
  }
}

/** Vertical pass of four pixels, rounded. */
@inline
function column(
  r0: usize, a1: usize, b1: usize, a2: usize, b2: usize, a3: usize, b3: usize, k0: v128, k1: v128, k2: v128, k3: v128,
): v128 {
  let sum = f32x4.mul(v128.load(r0), k0);
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(a1), v128.load(b1)), k1));
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(a2), v128.load(b2)), k2));
  sum = f32x4.add(sum, f32x4.mul(f32x4.add(v128.load(a3), v128.load(b3)), k3));
  return v128.and(f32x4.add(sum, f32x4.splat(ROUNDING)), i32x4.splat(0xffff));
}
