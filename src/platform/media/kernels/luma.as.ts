/**
 * Luma planes to grey in AssemblyScript SIMD. Planes and results lie in this module's memory, apart from each other.
 */

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

/** 36/219 in 1/65536: what 255/219 adds to 1. Exact after rounding for all 240 values, which a test checks. */
const STRETCH: i16 = 10773;

/**
 * 8-bit luma of limited range (16…235) to 0…255: round((sample - 16) * 255 / 219), clamped.
 * Rows of the plane are `stride` bytes apart, those of the result `width`; a width of 16 or more.
 */
export function stretch(plane: usize, stride: i32, width: i32, height: i32, out: usize): void {
  for (let y = 0; y < height; y++) {
    const from = plane + <usize>y * stride;
    const to = out + <usize>y * width;
    let x = 0;
    for (; x + 16 <= width; x += 16) stretchBlock(from + x, to + x);
    // The last block overlaps the one before it instead of passing the end of the row.
    if (x < width) stretchBlock(from + width - 16, to + width - 16);
  }
}

@inline
function stretchBlock(from: usize, to: usize): void {
  const samples = i8x16.sub_sat_u(v128.load(from), i8x16.splat(16));
  const low = i16x8.extend_low_i8x16_u(samples);
  const high = i16x8.extend_high_i8x16_u(samples);
  v128.store(to, i8x16.narrow_i16x8_u(stretchWords(low), stretchWords(high)));
}

@inline
function stretchWords(samples: v128): v128 {
  const half = i32x4.splat(32768);
  const factor = i16x8.splat(STRETCH);
  const low = i32x4.shr_u(i32x4.add(i32x4.extmul_low_i16x8_u(samples, factor), half), 16);
  const high = i32x4.shr_u(i32x4.add(i32x4.extmul_high_i16x8_u(samples, factor), half), 16);
  return i16x8.add(samples, i16x8.narrow_i32x4_u(low, high));
}

/**
 * Bytes looked up in a table of 256, in any orientation: result (x, y) is the sample at `origin + x * stepX + y * stepY`.
 * Width and height are those of the result.
 */
export function lookUpBytes(
  origin: usize, stepX: i32, stepY: i32, width: i32, height: i32, table: usize, out: usize,
): void {
  for (let y = 0; y < height; y++) {
    let from = origin + y * stepY;
    const end = out + width;
    for (; out < end; out++) {
      store<u8>(out, load<u8>(table + load<u8>(from)));
      from += stepX;
    }
  }
}

/** The same for samples of two bytes, little endian, and a table of 65,536. */
export function lookUpWords(
  origin: usize, stepX: i32, stepY: i32, width: i32, height: i32, table: usize, out: usize,
): void {
  for (let y = 0; y < height; y++) {
    let from = origin + y * stepY;
    const end = out + width;
    for (; out < end; out++) {
      store<u8>(out, load<u8>(table + load<u16>(from)));
      from += stepX;
    }
  }
}
