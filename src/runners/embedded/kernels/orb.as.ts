/**
 * The heavy parts of ORB (Rublee, Rabaud, Konolige & Bradski, "ORB: an efficient alternative to SIFT or SURF", ICCV 2011)
 * in AssemblyScript SIMD. Steps, constants and precision are those of OpenCV 4.x, so that the keypoints are the same.
 * Images are row-major byte planes; the caller owns the memory layout and passes byte addresses.
 */

import { smoothedPitch } from './orb-smoothing.part.as';

export { cornerScratchBytes, findCorners, harrisResponses, keepStrongest } from './orb-corners.part.as';
export { shrink, shrinkScratchBytes } from './orb-shrinking.part.as';
export { smoothAround, smoothedBytes, smoothedPitch, smoothingScratchBytes } from './orb-smoothing.part.as';

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

/** Radius of the disc whose intensity centroid gives a keypoint its direction. */
const DISC_RADIUS: i32 = 15;
/** Bytes per row of the weights: x as int16 for 32 columns from -15 on, 0 outside the disc. */
const WEIGHT_ROW: usize = 64;
/** Bytes that `fillDisc` writes. */
export function discBytes(): usize {
  return <usize>(DISC_RADIUS + 1) * WEIGHT_ROW * 2;
}

/** Weights of the disc's rows 0..15: first x, then 1, of the pixels inside. */
export function fillDisc(disc: usize): void {
  memory.fill(disc, 0, discBytes());
  const diagonal = <f64>DISC_RADIUS * Math.SQRT2 / 2;
  // Rounded half-chords up to the diagonal, and mirrored beyond it, so that the disc is symmetric.
  for (let y = 0; y <= <i32>floor(diagonal + 1); y++) setHalfChord(disc, y, roundedHalfChord(y));
  for (let y = DISC_RADIUS, x = 0; y >= <i32>ceil(diagonal); y--, x++) {
    while (roundedHalfChord(x) === roundedHalfChord(x + 1)) x++;
    setHalfChord(disc, y, x);
  }
}

@inline
function roundedHalfChord(y: i32): i32 {
  return <i32>nearest(sqrt(<f64>(DISC_RADIUS * DISC_RADIUS - y * y)));
}

function setHalfChord(disc: usize, y: i32, half: i32): void {
  const row = disc + <usize>y * 2 * WEIGHT_ROW;
  memory.fill(row, 0, 2 * WEIGHT_ROW);
  for (let x = -half; x <= half; x++) {
    const column = row + (<usize>(x + DISC_RADIUS) << 1);
    store<i16>(column, <i16>x);
    store<i16>(column, 1, WEIGHT_ROW);
  }
}

/** Sum over a row of the disc of pixel times x in the first two lanes (to be added up), of the pixels in the others. */
@inline
function rowMoments(p: usize, weights: usize): v128 {
  let first = i32x4.splat(0);
  let sum = i32x4.splat(0);
  for (let column: usize = 0; column < 32; column += 8) {
    const pixels = v128.load_ext<u8>(p + column);
    first = i32x4.add(first, i32x4.dot_i16x8_s(pixels, v128.load(weights + (column << 1))));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(pixels, v128.load(weights + (column << 1), WEIGHT_ROW)));
  }
  return i32x4.add(v128.shuffle<i32>(first, sum, 0, 1, 4, 5), v128.shuffle<i32>(first, sum, 2, 3, 6, 7));
}

/** Directions, in degrees, from each pixel to the centroid of the intensities around it, as float32 to `out`. */
export function directions(plane: usize, width: i32, pixels: usize, count: i32, disc: usize, out: usize): void {
  const pitch = <usize>width;
  for (let i = 0; i < count; i++) {
    const centre = plane + <usize>load<i32>(pixels + (<usize>i << 2)) - DISC_RADIUS;
    let moments = rowMoments(centre, disc);
    let vertical = 0;
    for (let y = 1; y <= DISC_RADIUS; y++) {
      const weights = disc + <usize>y * 2 * WEIGHT_ROW;
      const below = rowMoments(centre + <usize>y * pitch, weights);
      const above = rowMoments(centre - <usize>y * pitch, weights);
      moments = i32x4.add(moments, i32x4.add(below, above));
      const difference = i32x4.sub(below, above);
      vertical += y * (i32x4.extract_lane(difference, 2) + i32x4.extract_lane(difference, 3));
    }
    const horizontal = i32x4.extract_lane(moments, 0) + i32x4.extract_lane(moments, 1);
    store<f32>(out + (<usize>i << 2), degrees(<f32>vertical, <f32>horizontal));
  }
}

/** Angle of (x, y) in degrees from 0 to 360, by the polynomial of cv::fastAtan2 and its float32 steps. */
@inline
function degrees(y: f32, x: f32): f32 {
  const perRadian = <f32>(180 / Math.PI);
  const ax = abs(x);
  const ay = abs(y);
  const ratio = min(ax, ay) / (max(ax, ay) + <f32>2.220446049250313e-16);
  const square = ratio * ratio;
  let angle = ((<f32>-0.04432655554792128 * perRadian * square + <f32>0.1555786518463281 * perRadian) * square +
    <f32>-0.3258083974640975 * perRadian) * square + <f32>0.9997878412794807 * perRadian;
  angle *= ratio;
  if (ay > ax) angle = <f32>90 - angle;
  if (x < 0) angle = <f32>180 - angle;
  if (y < 0) angle = <f32>360 - angle;
  return angle;
}

/** 1.5 * 2^23: added to a float below 2^22 it rounds it, half to even, into the low bits. */
const ROUNDING: f32 = 12582912;
const ROUNDING_BITS: i32 = 0x4b400000;
/** Comparisons of a descriptor, and the bytes of one coordinate of all their points as float32. */
const COMPARISONS: usize = 256;
const COORDINATES: usize = COMPARISONS << 2;

/** Offsets from the keypoint, in bytes of the plane, of four points of the pattern turned by an angle. */
@inline
function turned4(xs: usize, cosine: v128, sine: v128, pitch: v128): v128 {
  const x = v128.load(xs);
  const y = v128.load(xs + COORDINATES);
  const rounding = f32x4.splat(ROUNDING);
  const column = f32x4.sub(f32x4.add(f32x4.sub(f32x4.mul(x, cosine), f32x4.mul(y, sine)), rounding), rounding);
  const row = f32x4.sub(f32x4.add(f32x4.add(f32x4.mul(x, sine), f32x4.mul(y, cosine)), rounding), rounding);
  const offset = f32x4.add(f32x4.add(f32x4.mul(row, pitch), column), rounding);
  return i32x4.sub(offset, i32x4.splat(ROUNDING_BITS));
}

/** The pixels at sixteen turned points of the pattern. */
@inline
function gather16(centre: usize, xs: usize, cosine: v128, sine: v128, pitch: v128): v128 {
  const a = turned4(xs, cosine, sine, pitch);
  const b = turned4(xs + 16, cosine, sine, pitch);
  const c = turned4(xs + 32, cosine, sine, pitch);
  const d = turned4(xs + 48, cosine, sine, pitch);
  let pixels = i8x16.splat(0);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(a, 0), pixels, 0);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(a, 1), pixels, 1);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(a, 2), pixels, 2);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(a, 3), pixels, 3);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(b, 0), pixels, 4);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(b, 1), pixels, 5);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(b, 2), pixels, 6);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(b, 3), pixels, 7);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(c, 0), pixels, 8);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(c, 1), pixels, 9);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(c, 2), pixels, 10);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(c, 3), pixels, 11);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(d, 0), pixels, 12);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(d, 1), pixels, 13);
  pixels = v128.load8_lane(centre + <usize>i32x4.extract_lane(d, 2), pixels, 14);
  return v128.load8_lane(centre + <usize>i32x4.extract_lane(d, 3), pixels, 15);
}

/**
 * Descriptors of 32 bytes: one bit per comparison of two pixels of the smoothed image, the pattern turned by the
 * keypoint's direction. `pixels` are indices in a level of the given width, of which the smoothed image leaves out `border`
 * pixels. `pattern`: x of all first points, their y, x of all second points, their y, as float32.
 */
export function describe(
  smoothed: usize, width: i32, border: i32, pixels: usize, angles: usize, count: i32, pattern: usize, out: usize,
): void {
  const smoothedWidth = smoothedPitch(width, border);
  const pitch = f32x4.splat(<f32>smoothedWidth);
  for (let i = 0; i < count; i++) {
    const pixel = load<i32>(pixels + (<usize>i << 2));
    const centre = smoothed + <usize>((pixel / width - border) * smoothedWidth + pixel % width - border);
    const radians = <f64>(load<f32>(angles + (<usize>i << 2)) * <f32>(Math.PI / 180));
    const cosine = f32x4.splat(<f32>Math.cos(radians));
    const sine = f32x4.splat(<f32>Math.sin(radians));
    const descriptor = out + (<usize>i << 5);
    for (let bit: usize = 0; bit < COMPARISONS; bit += 16) {
      const first = gather16(centre, pattern + (bit << 2), cosine, sine, pitch);
      const second = gather16(centre, pattern + (bit << 2) + 2 * COORDINATES, cosine, sine, pitch);
      store<u16>(descriptor + (bit >> 3), <u16>i8x16.bitmask(i8x16.lt_u(first, second)));
    }
  }
}
