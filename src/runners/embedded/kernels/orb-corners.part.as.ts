/**
 * FAST-9 corners (Rosten, Porter & Drummond, "Faster and better: a machine learning approach to corner detection", PAMI
 * 2010): nine neighbours in a row on a circle of radius 3 that are all brighter, or all darker, than the centre.
 */

/** Grey levels by which the neighbours must differ. */
const THRESHOLD: i8 = 20;

/** Smallest of `e0`, or of `e9`, and the eight between them; the larger of both. */
@inline
function arcs(e0: v128, between: v128, e9: v128): v128 {
  return i8x16.min_u(between, i8x16.max_u(e0, e9));
}

@inline
function least(a: v128, b: v128): v128 {
  return i8x16.min_u(a, b);
}

/** For each lane the largest threshold excess that some nine consecutive of the sixteen circle pixels reach; 0 if none do. */
@inline
function bestArc(
  e0: v128, e1: v128, e2: v128, e3: v128, e4: v128, e5: v128, e6: v128, e7: v128,
  e8: v128, e9: v128, e10: v128, e11: v128, e12: v128, e13: v128, e14: v128, e15: v128,
): v128 {
  // Runs of two, of four, of eight; each run of eight is part of two runs of nine.
  const two1 = least(e1, e2);
  const two3 = least(e3, e4);
  const two5 = least(e5, e6);
  const two7 = least(e7, e8);
  const two9 = least(e9, e10);
  const two11 = least(e11, e12);
  const two13 = least(e13, e14);
  const two15 = least(e15, e0);
  const four1 = least(two1, two3);
  const four3 = least(two3, two5);
  const four5 = least(two5, two7);
  const four7 = least(two7, two9);
  const four9 = least(two9, two11);
  const four11 = least(two11, two13);
  const four13 = least(two13, two15);
  const four15 = least(two15, two1);
  let best = arcs(e0, least(four1, four5), e9);
  best = i8x16.max_u(best, arcs(e2, least(four3, four7), e11));
  best = i8x16.max_u(best, arcs(e4, least(four5, four9), e13));
  best = i8x16.max_u(best, arcs(e6, least(four7, four11), e15));
  best = i8x16.max_u(best, arcs(e8, least(four9, four13), e1));
  best = i8x16.max_u(best, arcs(e10, least(four11, four15), e3));
  best = i8x16.max_u(best, arcs(e12, least(four13, four1), e5));
  return i8x16.max_u(best, arcs(e14, least(four15, four3), e7));
}

/** By how much the pixels at `p` exceed `limit`; 0 where they do not. */
@inline
function above(p: usize, limit: v128): v128 {
  return i8x16.sub_sat_u(v128.load(p), limit);
}

@inline
function below(p: usize, limit: v128): v128 {
  return i8x16.sub_sat_u(limit, v128.load(p));
}

/**
 * Corner strengths of the 16 pixels at `p`: the number of further grey levels the threshold could be raised by, plus one;
 * 0 where there is no corner.
 */
@inline
function strengths(p: usize, pitch: usize): v128 {
  const two = pitch << 1;
  const three = two + pitch;
  const centre = v128.load(p);
  const high = i8x16.add_sat_u(centre, i8x16.splat(THRESHOLD));
  const low = i8x16.sub_sat_u(centre, i8x16.splat(THRESHOLD));
  // Every nine in a row hold two neighbouring ones of the four points of the compass.
  const south = v128.load(p + three);
  const north = v128.load(p - three);
  const east = v128.load(p + 3);
  const west = v128.load(p - 3);
  const e0 = i8x16.sub_sat_u(south, high);
  const e4 = i8x16.sub_sat_u(east, high);
  const e8 = i8x16.sub_sat_u(north, high);
  const e12 = i8x16.sub_sat_u(west, high);
  const d0 = i8x16.sub_sat_u(low, south);
  const d4 = i8x16.sub_sat_u(low, east);
  const d8 = i8x16.sub_sat_u(low, north);
  const d12 = i8x16.sub_sat_u(low, west);
  const brighter = least(i8x16.max_u(e0, e8), i8x16.max_u(e4, e12));
  const darker = least(i8x16.max_u(d0, d8), i8x16.max_u(d4, d12));
  let result = i8x16.splat(0);
  if (v128.any_true(brighter)) {
    result = bestArc(
      e0, above(p + three + 1, high), above(p + two + 2, high), above(p + pitch + 3, high),
      e4, above(p - pitch + 3, high), above(p - two + 2, high), above(p - three + 1, high),
      e8, above(p - three - 1, high), above(p - two - 2, high), above(p - pitch - 3, high),
      e12, above(p + pitch - 3, high), above(p + two - 2, high), above(p + three - 1, high),
    );
  }
  if (v128.any_true(darker)) {
    result = i8x16.max_u(result, bestArc(
      d0, below(p + three + 1, low), below(p + two + 2, low), below(p + pitch + 3, low),
      d4, below(p - pitch + 3, low), below(p - two + 2, low), below(p - three + 1, low),
      d8, below(p - three - 1, low), below(p - two - 2, low), below(p - pitch - 3, low),
      d12, below(p + pitch - 3, low), below(p + two - 2, low), below(p + three - 1, low),
    ));
  }
  return result;
}

/** Corners of row `middle` that are stronger than their eight neighbours, from `first` to `last`; returns the new count. */
@inline
function strictMaxima(
  upper: usize, middle: usize, lower: usize, first: i32, last: i32, pixelOfRow: i32, out: usize, scores: usize, count: i32,
): i32 {
  for (let x = first; x <= last; x += 16) {
    const centre = v128.load(middle + x);
    if (!v128.any_true(centre)) continue;
    let highest = i8x16.max_u(v128.load(middle + x - 1), v128.load(middle + x + 1));
    highest = i8x16.max_u(highest, i8x16.max_u(v128.load(upper + x - 1), v128.load(upper + x)));
    highest = i8x16.max_u(highest, i8x16.max_u(v128.load(upper + x + 1), v128.load(lower + x - 1)));
    highest = i8x16.max_u(highest, i8x16.max_u(v128.load(lower + x), v128.load(lower + x + 1)));
    let lanes = i8x16.bitmask(i8x16.gt_u(centre, highest));
    while (lanes) {
      const column = x + ctz(lanes);
      lanes &= lanes - 1;
      if (column > last) break;
      store<i32>(out + (<usize>count << 2), pixelOfRow + column);
      store<u8>(scores + count, load<u8>(middle + column));
      count++;
    }
  }
  return count;
}

/** Bytes of scratch memory that `findCorners` needs. */
export function cornerScratchBytes(width: i32): usize {
  return 3 * <usize>(width + 32);
}

/**
 * Corners at least `border` pixels (4 or more) from each edge, in raster order: pixel indices (int32) to `out`, strengths
 * (bytes, greater than 0) to `scores`; returns how many there are. Both outputs need room for a quarter of the pixels;
 * 16 bytes after the plane must be readable.
 */
export function findCorners(
  plane: usize, width: i32, height: i32, border: i32, rows: usize, out: usize, scores: usize,
): i32 {
  const pitch = <usize>width;
  const rowBytes = pitch + 32;
  let upper = rows;
  let middle = rows + rowBytes;
  let lower = middle + rowBytes;
  const last = width - border - 1;
  let count = 0;
  // One more pixel on each side than corners are wanted of: the neighbours they must be stronger than.
  for (let y = border - 1; y <= height - border; y++) {
    const row = plane + <usize>y * pitch;
    for (let x = border - 1; x <= last + 1; x += 16) v128.store(lower + x, strengths(row + x, pitch));
    if (y > border) count = strictMaxima(upper, middle, lower, border, last, (y - 1) * width, out, scores, count);
    const oldest = upper;
    upper = middle;
    middle = lower;
    lower = oldest;
  }
  return count;
}

/** How many corners there are of each strength. */
const HISTOGRAM = memory.data(256 * 4);

/**
 * Moves the pixels of the `wanted` strongest corners to the front, in their order, and those as strong as the last of them;
 * returns how many they are.
 */
export function keepStrongest(pixels: usize, strengths: usize, count: i32, wanted: i32): i32 {
  memory.fill(HISTOGRAM, 0, 256 * 4);
  for (let i = 0; i < count; i++) {
    const entry = HISTOGRAM + (<usize>load<u8>(strengths + i) << 2);
    store<i32>(entry, load<i32>(entry) + 1);
  }
  let least = 256;
  let stronger = 0;
  while (least > 1 && stronger < wanted) stronger += load<i32>(HISTOGRAM + (<usize>--least << 2));
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (<i32>load<u8>(strengths + i) < least) continue;
    store<i32>(pixels + (<usize>kept << 2), load<i32>(pixels + (<usize>i << 2)));
    kept++;
  }
  return kept;
}

/** Harris' constant. */
const SENSITIVITY: f32 = 0.04;

/**
 * Corner measure of Harris & Stephens ("A combined corner and edge detector", 1988) over the 7x7 block around each pixel,
 * of Sobel derivatives scaled to a range of 1, as float32 to `out`.
 */
export function harrisResponses(plane: usize, width: i32, pixels: usize, count: i32, out: usize): void {
  const pitch = <usize>width;
  const scale: f32 = <f32>1 / (<f32>(4 * 7) * <f32>255);
  const scaleToFourth = scale * scale * scale * scale;
  // Seven of eight lanes belong to the block.
  const block = i16x8(-1, -1, -1, -1, -1, -1, -1, 0);
  for (let i = 0; i < count; i++) {
    const centre = plane + <usize>load<i32>(pixels + (<usize>i << 2));
    let a = i32x4.splat(0);
    let b = i32x4.splat(0);
    let c = i32x4.splat(0);
    let row = centre - 4 * pitch - 4;
    let upperDifference = rowDifference(row);
    let upperSum = rowSum(row);
    row += pitch;
    let difference = rowDifference(row);
    let sum = rowSum(row);
    for (let y = 0; y < 7; y++) {
      row += pitch;
      const lowerDifference = rowDifference(row);
      const lowerSum = rowSum(row);
      const dx = v128.and(i16x8.add(i16x8.add(upperDifference, lowerDifference), i16x8.shl(difference, 1)), block);
      const dy = v128.and(i16x8.sub(lowerSum, upperSum), block);
      a = i32x4.add(a, i32x4.dot_i16x8_s(dx, dx));
      b = i32x4.add(b, i32x4.dot_i16x8_s(dy, dy));
      c = i32x4.add(c, i32x4.dot_i16x8_s(dx, dy));
      upperDifference = difference;
      upperSum = sum;
      difference = lowerDifference;
      sum = lowerSum;
    }
    const xx = <f32>total(a);
    const yy = <f32>total(b);
    const xy = <f32>total(c);
    const trace = xx + yy;
    store<f32>(out + (<usize>i << 2), (xx * yy - xy * xy - SENSITIVITY * trace * trace) * scaleToFourth);
  }
}

@inline
function total(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/** Right neighbour minus left neighbour of eight pixels from p + 1 on. */
@inline
function rowDifference(p: usize): v128 {
  return i16x8.sub(v128.load_ext<u8>(p + 2), v128.load_ext<u8>(p));
}

/** Neighbours and twice the middle of eight pixels from p + 1 on. */
@inline
function rowSum(p: usize): v128 {
  const sides = i16x8.add(v128.load_ext<u8>(p), v128.load_ext<u8>(p + 2));
  return i16x8.add(sides, i16x8.shl(v128.load_ext<u8>(p + 1), 1));
}
