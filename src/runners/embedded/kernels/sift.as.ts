/**
 * The heavy parts of SIFT (Lowe 2004) in AssemblyScript SIMD. Steps, constants and float32 precision are those of
 * OpenCV 4.x's default path, so that the keypoints are the same.
 * Images are row-major float32 planes; the caller owns the memory layout and passes byte addresses.
 */

import { BORDER, LAYERS, Octave, refine, scanRow } from './extrema.part.as';
import { filterRow, radiusOf } from './gaussian.part.as';
import { at } from './plane.part.as';

export { describe } from './descriptor.part.as';
export { orientations } from './orientation.part.as';

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

/** Bytes from one Gaussian filter to the next. */
const FILTER_BYTES: usize = 64;
/** Bytes of one refined extremum. */
const RECORD_BYTES: usize = 32;

/**
 * Builds the Gaussian planes 0..4 of the first octave from a byte image of half its size, and finds the extrema.
 * `filters`: one per plane, the first for the doubled image. Returns the number of candidates, pairs of layer and pixel.
 */
export function buildFirstOctave(
  octave: Octave, image: usize, filters: usize, threshold: f32, candidates: usize, capacity: i32,
): i32 {
  return buildRows(octave, image, filters, threshold, candidates, capacity);
}

/** The same for a further octave, from plane 3 of the one before, which was `previousWidth` wide and lies in the same place. */
export function buildNextOctave(
  octave: Octave, previousWidth: i32, filters: usize, threshold: f32, candidates: usize, capacity: i32,
): i32 {
  decimate(octave.plane(LAYERS), previousWidth, octave.plane(0), octave.width, octave.height);
  return buildRows(octave, 0, filters, threshold, candidates, capacity);
}

/**
 * Row by row through all planes at once: a row is made as soon as the rows it needs are there, while they are still in
 * the cache. Without `image`, plane 0 is taken as it is.
 */
function buildRows(
  octave: Octave, image: usize, filters: usize, threshold: f32, candidates: usize, capacity: i32,
): i32 {
  const width = octave.width;
  const height = octave.height;
  const last = LAYERS + 1;
  const start = image ? 0 : 1;
  // Rows of the doubled image are needed for a few rows only: they lie where plane 4 is made later.
  const doubled = octave.plane(last);
  let delay = 0;
  for (let level = start; level <= last; level++) delay += radiusOf(filters + <usize>level * FILTER_BYTES);
  let count = 0;
  for (let y = 0; y < height + delay; y++) {
    if (image && y < height) doubleRow(image, width >> 1, height >> 1, y, at(doubled, y * width));
    let row = y;
    for (let level = start; level <= last; level++) {
      const filter = filters + <usize>level * FILTER_BYTES;
      row -= radiusOf(filter);
      if (row < 0) break;
      if (row >= height) continue;
      const source = level ? octave.plane(level - 1) : doubled;
      filterRow(source, octave.plane(level), row, width, height, filter, octave.line, octave.rows);
    }
    // All neighbours of the row above the last one are there.
    if (row > BORDER && row <= height - BORDER) count = scanRow(octave, row - 1, threshold, candidates, count, capacity);
  }
  return count;
}

/** One row of a byte image doubled bilinearly with pixel centres aligned (cv::resize, INTER_LINEAR). */
function doubleRow(image: usize, width: i32, height: i32, y: i32, target: usize): void {
  const odd = y & 1;
  const top = (y >> 1) + odd - 1;
  const fy: f32 = odd ? 0.25 : 0.75;
  const rowA = image + <usize>(max(top, 0) * width);
  const rowB = image + <usize>(min(top + 1, height - 1) * width);
  let out = target;
  let left = <f32>load<u8>(rowA) + (<f32>load<u8>(rowB) - <f32>load<u8>(rowA)) * fy;
  store<f32>(out, left);
  for (let x = 1; x < width; x++) {
    const a = <f32>load<u8>(rowA + x);
    const right = a + (<f32>load<u8>(rowB + x) - a) * fy;
    store<f32>(out, left + (right - left) * 0.25, 4);
    store<f32>(out, left + (right - left) * 0.75, 8);
    left = right;
    out += 8;
  }
  store<f32>(out, left, 4);
}

/** Every second pixel of every second row. Safe when `target` is not `source`. */
function decimate(source: usize, sourceWidth: i32, target: usize, width: i32, height: i32): void {
  for (let y = 0; y < height; y++) {
    const from = at(source, 2 * y * sourceWidth);
    const to = at(target, y * width);
    for (let x = 0; x < width; x++) store<f32>(at(to, x), load<f32>(at(from, 2 * x)));
  }
}

/** Refines candidates to records of 32 bytes; returns how many of them hold, at most `capacity`. */
export function refineAll(octave: Octave, candidates: usize, count: i32, contrast: f64, records: usize, capacity: i32): i32 {
  let kept = 0;
  for (let i = 0; i < count && kept < capacity; i++) {
    const candidate = at(candidates, 2 * i);
    const record = records + <usize>kept * RECORD_BYTES;
    if (refine(octave, load<i32>(candidate), load<i32>(candidate, 4), contrast, record)) kept++;
  }
  return kept;
}
