/** Extrema of the difference of Gaussians: the search, and the fit that locates them to a fraction of a pixel. */
import { filterPatch } from './gaussian.part.as';
import { at } from './plane.part.as';

/** Scales per octave. */
export const LAYERS: i32 = 3;
/** Pixels at the edge of a plane that never hold a keypoint. */
export const BORDER: i32 = 5;
const SIGMA: f64 = 1.6;
const GREY_LEVELS: f64 = 255;
const MAXIMUM_STEPS: i32 = 5;
/** Greatest ratio of principal curvatures; above it the extremum lies on an edge. */
const EDGE_RATIO: f64 = 10;

/** The Gaussian planes 0..4 of one octave, one after another; plane 5 is made only where it is looked at. */
@unmanaged
export class Octave {
  width: i32;
  height: i32;
  planes: usize;
  /** Bytes from one plane to the next. */
  stride: usize;
  /** Filter that makes plane 5 from plane 4. */
  lastFilter: usize;
  line: usize;
  rows: usize;
  /** Scratch for nine rows of four differences. */
  cube: usize;

  @inline
  plane(index: i32): usize {
    return this.planes + <usize>index * this.stride;
  }
}

@inline
function difference4(upper: usize, lower: usize, offset: usize): v128 {
  return f32x4.sub(v128.load(upper + offset), v128.load(lower + offset));
}

/**
 * Pixels of one row that are above `threshold` in magnitude and extreme among their 26 neighbours, as far as planes 0..4
 * tell. Appends layer and pixel index to `out`, which holds `count` and at most `capacity` pairs; returns the count.
 */
export function scanRow(octave: Octave, y: i32, threshold: f32, out: usize, count: i32, capacity: i32): i32 {
  const width = octave.width;
  const right = width - BORDER;
  const pitch = <usize>width << 2;
  const limit = f32x4.splat(threshold);
  for (let layer = 1; layer <= LAYERS; layer++) {
    const lower = octave.plane(layer);
    const upper = octave.plane(layer + 1);
    for (let x = BORDER; x < right; x += 4) {
      const offset = <usize>(y * width + x) << 2;
      const centre = difference4(upper, lower, offset);
      let mask = f32x4.gt(f32x4.abs(centre), limit);
      if (!v128.any_true(mask)) continue;
      // The neighbours at the sides first: cheap, and they leave few pixels for the full test.
      const west = difference4(upper, lower, offset - 4);
      const east = difference4(upper, lower, offset + 4);
      const north = difference4(upper, lower, offset - pitch);
      const south = difference4(upper, lower, offset + pitch);
      const highest = f32x4.pmax(f32x4.pmax(west, east), f32x4.pmax(north, south));
      const lowest = f32x4.pmin(f32x4.pmin(west, east), f32x4.pmin(north, south));
      mask = v128.and(mask, v128.or(f32x4.ge(centre, highest), f32x4.le(centre, lowest)));
      let lanes = i32x4.bitmask(mask);
      while (lanes) {
        const lane = ctz(lanes);
        lanes &= lanes - 1;
        if (x + lane >= right || count >= capacity) break;
        if (!isExtreme(octave, layer, y, x + lane)) continue;
        store<i32>(at(out, 2 * count), layer);
        store<i32>(at(out, 2 * count), y * width + x + lane, 4);
        count++;
      }
    }
  }
  return count;
}

/** Whether a pixel is at least as far from zero as its neighbours in the layers that planes 0..4 make. */
@inline
function isExtreme(octave: Octave, layer: i32, row: i32, column: i32): bool {
  const pitch = <usize>octave.width << 2;
  const offset = <usize>(row * octave.width + column) << 2;
  const g1 = octave.plane(layer);
  const g2 = octave.plane(layer + 1);
  const value = load<f32>(g2 + offset) - load<f32>(g1 + offset);
  const sign = f32x4.splat(value > 0 ? 1 : -1);
  const limit = f32x4.splat(abs(value));
  const corner = offset - pitch - 4;
  return (
    dominates(g2, g1, corner, pitch, sign, limit) &&
    dominates(g1, octave.plane(layer - 1), corner, pitch, sign, limit) &&
    (layer === LAYERS || dominates(octave.plane(layer + 2), g2, corner, pitch, sign, limit))
  );
}

/** Compares `limit` with the 3 x 3 differences that start at `corner`. */
@inline
function dominates(upper: usize, lower: usize, corner: usize, pitch: usize, sign: v128, limit: v128): bool {
  const highest = f32x4.pmax(
    f32x4.pmax(
      f32x4.mul(sign, difference4(upper, lower, corner)),
      f32x4.mul(sign, difference4(upper, lower, corner + pitch)),
    ),
    f32x4.mul(sign, difference4(upper, lower, corner + 2 * pitch)),
  );
  return exceeds(limit, highest);
}

/** Whether `limit` is at least as large as three of four values. */
@inline
function exceeds(limit: v128, highest: v128): bool {
  return (i32x4.bitmask(f32x4.ge(limit, highest)) & 7) === 7;
}

/** Whether the centre of the cube is at least as far from zero as its nine neighbours in the layer above. */
@inline
function exceedsAbove(cube: usize): bool {
  const value = load<f32>(cube, 68);
  const sign = f32x4.splat(value > 0 ? 1 : -1);
  const highest = f32x4.pmax(
    f32x4.pmax(f32x4.mul(sign, v128.load(cube, 96)), f32x4.mul(sign, v128.load(cube, 112))),
    f32x4.mul(sign, v128.load(cube, 128)),
  );
  return exceeds(f32x4.splat(abs(value)), highest);
}

/** The 3 x 3 differences of planes 5 and 4 around a pixel, as three rows of four. */
function lastDifferences(octave: Octave, row: i32, column: i32, out: usize): void {
  const g4 = octave.plane(LAYERS + 1);
  filterPatch(g4, row, column, octave.width, octave.height, octave.lastFilter, octave.line, octave.rows, out);
  let p = at(g4, (row - 1) * octave.width + column - 1);
  for (let i: usize = 0; i < 48; i += 16) {
    v128.store(out + i, f32x4.sub(v128.load(out + i), v128.load(p)));
    p += <usize>octave.width << 2;
  }
}

/** The 3 x 3 x 3 differences around a pixel, as nine rows of four: layer below, layer, layer above. */
function fillCube(octave: Octave, layer: i32, row: i32, column: i32): void {
  let out = octave.cube;
  const corner = <usize>((row - 1) * octave.width + column - 1) << 2;
  const pitch = <usize>octave.width << 2;
  const end = min(layer + 1, LAYERS);
  for (let i = layer - 1; i <= end; i++) {
    const lower = octave.plane(i);
    const upper = octave.plane(i + 1);
    v128.store(out, difference4(upper, lower, corner));
    v128.store(out, difference4(upper, lower, corner + pitch), 16);
    v128.store(out, difference4(upper, lower, corner + 2 * pitch), 32);
    out += 48;
  }
  if (layer === LAYERS) lastDifferences(octave, row, column, out);
}

/** Entry of the cube: layer, row and column are -1, 0 or 1. */
@inline
function cell(cube: usize, layer: i32, row: i32, column: i32): f64 {
  return <f64>load<f32>(at(cube, 12 * layer + 4 * row + column), 68);
}

/**
 * Fits a quadratic to the differences around a candidate and walks to its extremum (Lowe 2004, section 4). Writes one
 * record of float32 x, y, scale, response (grey range 0..1) and int32 layer, row, column, all in pixels of the octave.
 * Returns whether the candidate is extreme in all layers, settles, is strong enough and lies on no edge.
 */
export function refine(octave: Octave, start: i32, pixel: i32, contrast: f64, record: usize): bool {
  const cube = octave.cube;
  let layer = start;
  let row = pixel / octave.width;
  let column = pixel % octave.width;
  for (let step = 0; step < MAXIMUM_STEPS; step++) {
    fillCube(octave, layer, row, column);
    if (step === 0 && layer === LAYERS && !exceedsAbove(cube)) return false;
    const centre = cell(cube, 0, 0, 0);
    const gx = (cell(cube, 0, 0, 1) - cell(cube, 0, 0, -1)) * 0.5;
    const gy = (cell(cube, 0, 1, 0) - cell(cube, 0, -1, 0)) * 0.5;
    const gs = (cell(cube, 1, 0, 0) - cell(cube, -1, 0, 0)) * 0.5;
    const xx = cell(cube, 0, 0, 1) + cell(cube, 0, 0, -1) - 2 * centre;
    const yy = cell(cube, 0, 1, 0) + cell(cube, 0, -1, 0) - 2 * centre;
    const ss = cell(cube, 1, 0, 0) + cell(cube, -1, 0, 0) - 2 * centre;
    const xy = (cell(cube, 0, 1, 1) - cell(cube, 0, 1, -1) - cell(cube, 0, -1, 1) + cell(cube, 0, -1, -1)) * 0.25;
    const xs = (cell(cube, 1, 0, 1) - cell(cube, 1, 0, -1) - cell(cube, -1, 0, 1) + cell(cube, -1, 0, -1)) * 0.25;
    const ys = (cell(cube, 1, 1, 0) - cell(cube, 1, -1, 0) - cell(cube, -1, 1, 0) + cell(cube, -1, -1, 0)) * 0.25;
    // Where the quadratic has zero slope, by Cramer's rule.
    const a = yy * ss - ys * ys;
    const b = xs * ys - xy * ss;
    const c = xy * ys - yy * xs;
    const d = xx * ss - xs * xs;
    const e = xy * xs - xx * ys;
    const f = xx * yy - xy * xy;
    const determinant = xx * a + xy * b + xs * c;
    // A singular curvature says nothing about the place: the pixel itself is taken.
    const factor = determinant === 0 ? 0 : -1 / determinant;
    const dx = (a * gx + b * gy + c * gs) * factor;
    const dy = (b * gx + d * gy + e * gs) * factor;
    const ds = (c * gx + e * gy + f * gs) * factor;
    if (abs(dx) < 0.5 && abs(dy) < 0.5 && abs(ds) < 0.5) {
      const response = abs(centre + 0.5 * (gx * dx + gy * dy + gs * ds)) / GREY_LEVELS;
      const trace = xx + yy;
      const edge = f <= 0 || trace * trace * EDGE_RATIO >= (EDGE_RATIO + 1) * (EDGE_RATIO + 1) * f;
      if (edge || response * <f64>LAYERS < contrast) return false;
      store<f32>(record, <f32>(<f64>column + dx));
      store<f32>(record, <f32>(<f64>row + dy), 4);
      store<f32>(record, <f32>(SIGMA * Math.pow(2, (<f64>layer + ds) / <f64>LAYERS)), 8);
      store<f32>(record, <f32>response, 12);
      store<i32>(record, layer, 16);
      store<i32>(record, row, 20);
      store<i32>(record, column, 24);
      return true;
    }
    // Far beyond any plane, and within what an integer holds.
    column += <i32>nearest(min(max(dx, -1e6), 1e6));
    row += <i32>nearest(min(max(dy, -1e6), 1e6));
    layer += <i32>nearest(min(max(ds, -1e6), 1e6));
    const inside =
      layer >= 1 && layer <= LAYERS &&
      column >= BORDER && column < octave.width - BORDER &&
      row >= BORDER && row < octave.height - BORDER;
    if (!inside) return false;
  }
  return false;
}
