/** Shrinking of byte images. */

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
