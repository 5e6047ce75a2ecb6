/** Dominant directions of the gradients around a keypoint. */
import { gaussianTable, turn4 } from './angle.part.as';
import { at } from './plane.part.as';

const BINS: i32 = 36;
/** Two bins of margin at either end, for smoothing in a circle. */
const MARGIN: i32 = 2;
/** Two histograms, filled in turn: neighbouring pixels often fall into one bin, and would wait for each other. */
const HISTOGRAM_BYTES: usize = 192;

/**
 * Dominant gradient directions around pixel (x, y), in degrees as in the image with y up. Writes them to `out` (room for
 * 36 floats) and returns how many there are. `scratch`: 4 KiB.
 */
export function orientations(
  plane: usize, width: i32, height: i32, x: i32, y: i32, scale: f32, scratch: usize, out: usize,
): i32 {
  const radius = min(<i32>nearest(4.5 * scale), 100);
  const first = scratch;
  const second = scratch + HISTOGRAM_BYTES;
  const bins = second + HISTOGRAM_BYTES;
  const values = bins + 16;
  const middle = gaussianTable(values + 16, radius, 1.5 * <f64>scale);
  memory.fill(first, 0, 2 * HISTOGRAM_BYTES);
  const pitch = <usize>width << 2;
  const left = max(x - radius, 1);
  const right = min(x + radius, width - 2);
  for (let row = max(y - radius, 1); row <= min(y + radius, height - 2); row++) {
    const rowWeight = f32x4.splat(load<f32>(at(middle, row - y)));
    for (let column = left; column <= right; column += 4) {
      const p = at(plane, row * width + column);
      const dx = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
      const dy = f32x4.sub(v128.load(p - pitch), v128.load(p + pitch));
      const magnitude = f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy)));
      const weight = f32x4.mul(rowWeight, v128.load(at(middle, column - x)));
      v128.store(values, f32x4.mul(weight, magnitude));
      v128.store(bins, i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(turn4(dy, dx), f32x4.splat(<f32>BINS)))));
      // Beyond the radius the weights are zero, but the edge of the plane may come sooner.
      for (let lane = right - column + 1; lane < 4; lane++) store<f32>(at(values, lane), 0);
      add(first, load<i32>(bins), load<f32>(values));
      add(second, load<i32>(bins, 4), load<f32>(values, 4));
      add(first, load<i32>(bins, 8), load<f32>(values, 8));
      add(second, load<i32>(bins, 12), load<f32>(values, 12));
    }
  }
  for (let bin: usize = 0; bin < HISTOGRAM_BYTES; bin += 16) {
    v128.store(first + bin, f32x4.add(v128.load(first + bin), v128.load(second + bin)));
  }
  return peaks(first, second, out);
}

/** Bin 36, a full turn, is bin 0; it is folded back afterwards. */
@inline
function add(histogram: usize, bin: i32, value: f32): void {
  const entry = at(histogram, bin + MARGIN);
  store<f32>(entry, load<f32>(entry) + value);
}

/** Local maxima of the smoothed histogram that reach 0.8 of the highest. */
function peaks(histogram: usize, smooth: usize, out: usize): i32 {
  const raw = at(histogram, MARGIN);
  store<f32>(raw, load<f32>(raw) + load<f32>(at(raw, BINS)));
  closeCircle(raw);
  const curve = at(smooth, MARGIN);
  let highest: f32 = 0;
  for (let i = 0; i < BINS; i++) {
    const value: f32 =
      (load<f32>(at(raw, i - 2)) + load<f32>(at(raw, i + 2))) * (1.0 / 16.0) +
      (load<f32>(at(raw, i - 1)) + load<f32>(at(raw, i + 1))) * (4.0 / 16.0) +
      load<f32>(at(raw, i)) * (6.0 / 16.0);
    store<f32>(at(curve, i), value);
    highest = max(highest, value);
  }
  closeCircle(curve);
  let count = 0;
  for (let i = 0; i < BINS; i++) {
    const before = load<f32>(at(curve, i - 1));
    const value = load<f32>(at(curve, i));
    const after = load<f32>(at(curve, i + 1));
    if (value <= before || value <= after || value < <f32>0.8 * highest) continue;
    let bin = <f32>i + (<f32>0.5 * (before - after)) / (before - 2 * value + after);
    if (bin < 0) bin += <f32>BINS;
    if (bin >= <f32>BINS) bin -= <f32>BINS;
    store<f32>(at(out, count++), bin * 10);
  }
  return count;
}

/** Copies the ends of the histogram into the margins. */
@inline
function closeCircle(bins: usize): void {
  for (let i = 0; i < MARGIN; i++) {
    store<f32>(at(bins, i - MARGIN), load<f32>(at(bins, BINS - MARGIN + i)));
    store<f32>(at(bins, BINS + i), load<f32>(at(bins, i)));
  }
}
