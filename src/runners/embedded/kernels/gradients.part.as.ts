/** The part of SIFT that looks at gradients: dominant directions and descriptors. */
import { at } from './plane.part.as';

/**
 * Angle of (x, y) as a fraction of a full turn, in [0, 1], by the polynomial of cv::fastAtan2 (error about 0.01 degrees).
 */
@inline
function turn4(y: v128, x: v128): v128 {
  const ax = f32x4.abs(x);
  const ay = f32x4.abs(y);
  const ratio = f32x4.div(f32x4.min(ax, ay), f32x4.add(f32x4.max(ax, ay), f32x4.splat(1e-12)));
  const square = f32x4.mul(ratio, ratio);
  let p = f32x4.splat(-0.0117212 / 6.283185307179586);
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(0.05265332 / 6.283185307179586));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(-0.11643287 / 6.283185307179586));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(0.19354346 / 6.283185307179586));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(-0.33262347 / 6.283185307179586));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(0.99997726 / 6.283185307179586));
  p = f32x4.mul(p, ratio);
  p = v128.bitselect(f32x4.sub(f32x4.splat(0.25), p), p, f32x4.gt(ay, ax));
  p = v128.bitselect(f32x4.sub(f32x4.splat(0.5), p), p, f32x4.lt(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.sub(f32x4.splat(1), p), p, f32x4.lt(y, f32x4.splat(0)));
}

/** exp(-i^2 / (2 sigma^2)) for i = 0..radius: the two-dimensional Gaussian weight is a product of two of these. */
@inline
function gaussianTable(table: usize, radius: i32, sigma: f32): void {
  const scale = -1.0 / (2.0 * <f64>sigma * <f64>sigma);
  for (let i = 0; i <= radius; i++) store<f32>(at(table, i), <f32>Math.exp(<f64>(i * i) * scale));
}

const ORIENTATION_BINS: i32 = 36;

/**
 * Dominant gradient directions around pixel (x, y), in degrees as in the image with y up. Writes them to `out` (room for
 * 36 floats) and returns how many there are. `scratch`: 4 KiB.
 */
export function orientations(
  plane: usize, width: i32, height: i32, x: i32, y: i32, scale: f32, scratch: usize, out: usize,
): i32 {
  const radius = min(<i32>nearest(4.5 * scale), 100);
  const table = scratch;
  const histogram = scratch + 512;
  const smooth = scratch + 768;
  const bins = scratch + 1024;
  const magnitudes = scratch + 1040;
  gaussianTable(table, radius, 1.5 * scale);
  memory.fill(histogram, 0, 256);
  const pitch = <usize>width << 2;
  const first = max(x - radius, 1);
  const last = min(x + radius, width - 2);
  for (let row = max(y - radius, 1); row <= min(y + radius, height - 2); row++) {
    const rowWeight = load<f32>(at(table, abs(row - y)));
    for (let column = first; column <= last; column += 4) {
      const p = at(plane, row * width + column);
      const dx = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
      const dy = f32x4.sub(v128.load(p - pitch), v128.load(p + pitch));
      v128.store(magnitudes, f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy))));
      v128.store(bins, i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(turn4(dy, dx), f32x4.splat(36)))));
      const lanes = min(4, last - column + 1);
      for (let lane = 0; lane < lanes; lane++) {
        let bin = load<i32>(at(bins, lane));
        if (bin >= ORIENTATION_BINS) bin -= ORIENTATION_BINS;
        const weight = rowWeight * load<f32>(at(table, abs(column + lane - x)));
        store<f32>(at(histogram, bin), load<f32>(at(histogram, bin)) + weight * load<f32>(at(magnitudes, lane)));
      }
    }
  }
  return histogramPeaks(histogram, smooth, out);
}

@inline
function circular(histogram: usize, bin: i32): f32 {
  return load<f32>(at(histogram, (bin + ORIENTATION_BINS) % ORIENTATION_BINS));
}

function histogramPeaks(histogram: usize, smooth: usize, out: usize): i32 {
  let highest: f32 = 0;
  for (let i = 0; i < ORIENTATION_BINS; i++) {
    const value: f32 =
      (circular(histogram, i - 2) + circular(histogram, i + 2)) * (1.0 / 16.0) +
      (circular(histogram, i - 1) + circular(histogram, i + 1)) * (4.0 / 16.0) +
      circular(histogram, i) * (6.0 / 16.0);
    store<f32>(at(smooth, i), value);
    highest = max(highest, value);
  }
  let count = 0;
  for (let i = 0; i < ORIENTATION_BINS; i++) {
    const before = circular(smooth, i - 1);
    const value = circular(smooth, i);
    const after = circular(smooth, i + 1);
    if (value <= before || value <= after || value < <f32>0.8 * highest) continue;
    let bin = <f32>i + (<f32>0.5 * (before - after)) / (before - 2 * value + after);
    if (bin < 0) bin += <f32>ORIENTATION_BINS;
    if (bin >= <f32>ORIENTATION_BINS) bin -= <f32>ORIENTATION_BINS;
    store<f32>(at(out, count++), bin * 10);
  }
  return count;
}

/** Histogram of 4x4 cells and 8 directions with one cell of margin on each side and two wrapped directions. */
const CELL: i32 = 10;
const CELL_ROW: i32 = 60;

/**
 * Descriptor of a keypoint at plane position (px, py): 128 values of 0..255 as int16 to `out`.
 * `angle` in degrees, y up. `scratch`: 8 KiB.
 */
export function describe(
  plane: usize, width: i32, height: i32, px: f32, py: f32, scale: f32, angle: f32, scratch: usize, out: usize,
): void {
  const cellWidth: f32 = 3 * scale;
  const radians = <f64>angle * (3.141592653589793 / 180);
  const cosine = <f32>(Math.cos(radians) / <f64>cellWidth);
  const sine = <f32>(Math.sin(radians) / <f64>cellWidth);
  const diagonal = sqrt(<f64>width * <f64>width + <f64>height * <f64>height);
  const radius = min(min(<i32>nearest(<f64>cellWidth * 1.4142135623730951 * 2.5), <i32>diagonal), 500);
  const histogram = scratch;
  const samples = scratch + 1536;
  const table = scratch + 2048;
  memory.fill(histogram, 0, 6 * 6 * 10 * 4);
  gaussianTable(table, radius, 2 * cellWidth);
  const x = <i32>nearest(px);
  const y = <i32>nearest(py);
  const pitch = <usize>width << 2;
  const first = max(x - radius, 1);
  const last = min(x + radius, width - 2);
  const ramp = f32x4(0, 1, 2, 3);
  const lowest = f32x4.splat(-1);
  const highest = f32x4.splat(4);
  const turned = f32x4.splat(angle * <f32>(8.0 / 360.0));
  for (let row = max(y - radius, 1); row <= min(y + radius, height - 2); row++) {
    const i = <f32>(row - y);
    const rowWeight = load<f32>(at(table, abs(row - y)));
    const rowC = f32x4.splat(-i * sine + 1.5);
    const rowR = f32x4.splat(i * cosine + 1.5);
    for (let column = first; column <= last; column += 4) {
      const j = f32x4.add(f32x4.splat(<f32>(column - x)), ramp);
      const cellC = f32x4.add(f32x4.mul(j, f32x4.splat(cosine)), rowC);
      const cellR = f32x4.add(f32x4.mul(j, f32x4.splat(sine)), rowR);
      let lanes = i32x4.bitmask(
        v128.and(
          v128.and(f32x4.gt(cellR, lowest), f32x4.lt(cellR, highest)),
          v128.and(f32x4.gt(cellC, lowest), f32x4.lt(cellC, highest)),
        ),
      );
      if (!lanes) continue;
      const p = at(plane, row * width + column);
      const dx = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
      const dy = f32x4.sub(v128.load(p - pitch), v128.load(p + pitch));
      const direction = f32x4.sub(f32x4.mul(turn4(dy, dx), f32x4.splat(8)), turned);
      const floorR = f32x4.floor(cellR);
      const floorC = f32x4.floor(cellC);
      const floorO = f32x4.floor(direction);
      v128.store(samples, f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy))));
      v128.store(samples, f32x4.sub(cellR, floorR), 16);
      v128.store(samples, f32x4.sub(cellC, floorC), 32);
      v128.store(samples, f32x4.sub(direction, floorO), 48);
      const cells = i32x4.add(
        i32x4.mul(i32x4.trunc_sat_f32x4_s(floorR), i32x4.splat(CELL_ROW)),
        i32x4.mul(i32x4.trunc_sat_f32x4_s(floorC), i32x4.splat(CELL)),
      );
      v128.store(
        samples,
        i32x4.add(i32x4.add(cells, i32x4.splat(CELL_ROW + CELL)), v128.and(i32x4.trunc_sat_f32x4_s(floorO), i32x4.splat(7))),
        64,
      );
      const available = last - column + 1;
      while (lanes) {
        const lane = ctz(lanes);
        lanes &= lanes - 1;
        if (lane >= available) break;
        const weight = rowWeight * load<f32>(at(table, abs(column + lane - x)));
        scatter(histogram, at(samples, lane), weight);
      }
    }
  }
  normalise(histogram, scratch + 2048, out);
}

/** Spreads one gradient sample over its eight nearest bins (trilinear). `sample`: lane of the block written above. */
@inline
function scatter(histogram: usize, sample: usize, weight: f32): void {
  const magnitude = load<f32>(sample) * weight;
  const fr = load<f32>(sample, 16);
  const fc = load<f32>(sample, 32);
  const fo = load<f32>(sample, 48);
  const bin = at(histogram, load<i32>(sample, 64));
  const r1 = magnitude * fr;
  const r0 = magnitude - r1;
  const r0c1 = r0 * fc;
  const r0c0 = r0 - r0c1;
  const r1c1 = r1 * fc;
  const r1c0 = r1 - r1c1;
  addPair(bin, r0c0, fo);
  addPair(bin + 40, r0c1, fo);
  addPair(bin + 240, r1c0, fo);
  addPair(bin + 280, r1c1, fo);
}

@inline
function addPair(bin: usize, value: f32, fraction: f32): void {
  const upper = value * fraction;
  store<f32>(bin, load<f32>(bin) + (value - upper));
  store<f32>(bin, load<f32>(bin, 4) + upper, 4);
}

/** Unit length, clipped at 0.2, unit length again, times 512, saturated to a byte. */
function normalise(histogram: usize, values: usize, out: usize): void {
  let square: f32 = 0;
  let count = 0;
  for (let row = 1; row <= 4; row++) {
    for (let column = 1; column <= 4; column++) {
      const cell = at(histogram, row * CELL_ROW + column * CELL);
      store<f32>(cell, load<f32>(cell) + load<f32>(cell, 32));
      store<f32>(cell, load<f32>(cell, 4) + load<f32>(cell, 36), 4);
      for (let o = 0; o < 8; o++) {
        const value = load<f32>(at(cell, o));
        store<f32>(at(values, count++), value);
        square += value * value;
      }
    }
  }
  const clip = sqrt(square) * <f32>0.2;
  square = 0;
  for (let i = 0; i < 128; i++) {
    const value = min(load<f32>(at(values, i)), clip);
    store<f32>(at(values, i), value);
    square += value * value;
  }
  const factor = <f32>512 / max(sqrt(square), <f32>1.1920929e-7);
  for (let i = 0; i < 128; i++) {
    store<i16>(out + (<usize>i << 1), <i16>min<f32>(255, nearest(load<f32>(at(values, i)) * factor)));
  }
}
