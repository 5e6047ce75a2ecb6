/** Nonlinear diffusion: edges conduct less, so smoothing stays within regions (Perona and Malik 1990; FED by Grewenig 2010). */
import { at } from './plane.part.as';

const BINS: i32 = 300;
/** Contrast of an image that has no gradient to measure. */
const BLANK_CONTRAST: f32 = 0.03;

/** Gradient of a smoothed plane by Scharr's 3 x 3 operator, not normalised: 32 times the difference of neighbours. */
@inline
function scharrX(p: usize, pitch: usize): v128 {
  const above = f32x4.sub(v128.load(p - pitch + 4), v128.load(p - pitch - 4));
  const here = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
  const below = f32x4.sub(v128.load(p + pitch + 4), v128.load(p + pitch - 4));
  return f32x4.add(f32x4.mul(here, f32x4.splat(10)), f32x4.mul(f32x4.add(above, below), f32x4.splat(3)));
}

@inline
function scharrY(p: usize, pitch: usize): v128 {
  const a = p - pitch;
  const b = p + pitch;
  const above = f32x4.add(
    f32x4.mul(v128.load(a), f32x4.splat(10)),
    f32x4.mul(f32x4.add(v128.load(a - 4), v128.load(a + 4)), f32x4.splat(3)),
  );
  const below = f32x4.add(
    f32x4.mul(v128.load(b), f32x4.splat(10)),
    f32x4.mul(f32x4.add(v128.load(b - 4), v128.load(b + 4)), f32x4.splat(3)),
  );
  return f32x4.sub(below, above);
}

@inline
function squaredGradient(p: usize, pitch: usize): v128 {
  const x = scharrX(p, pitch);
  const y = scharrY(p, pitch);
  return f32x4.add(f32x4.mul(x, x), f32x4.mul(y, y));
}

/**
 * Gradient that `share` of the inner pixels with any gradient stay below, from a histogram of 300 bins. `magnitudes`: a
 * plane for scratch. `histogram`: 300 int32 of scratch.
 */
export function contrast(
  smooth: usize, width: i32, height: i32, pitch: i32, share: f32, magnitudes: usize, histogram: usize,
): f32 {
  const rowBytes = <usize>pitch << 2;
  const right = width - 1;
  let highest = f32x4.splat(0);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < right; x += 4) {
      let magnitude = f32x4.sqrt(squaredGradient(at(smooth, y * pitch + x), rowBytes));
      if (x + 4 > right) magnitude = firstLanes(magnitude, right - x);
      highest = f32x4.max(highest, magnitude);
      v128.store(at(magnitudes, y * pitch + x), magnitude);
    }
  }
  const maximum = max(
    max(f32x4.extract_lane(highest, 0), f32x4.extract_lane(highest, 1)),
    max(f32x4.extract_lane(highest, 2), f32x4.extract_lane(highest, 3)),
  );
  if (maximum === 0) return BLANK_CONTRAST;
  memory.fill(histogram, 0, <usize>BINS << 2);
  const scale = f32x4.splat(<f32>(BINS - 1) / maximum);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < right; x += 4) {
      const bins = i32x4.trunc_sat_f32x4_s(f32x4.mul(v128.load(at(magnitudes, y * pitch + x)), scale));
      count(histogram, i32x4.extract_lane(bins, 0));
      count(histogram, i32x4.extract_lane(bins, 1));
      count(histogram, i32x4.extract_lane(bins, 2));
      count(histogram, i32x4.extract_lane(bins, 3));
    }
  }
  // Bin 0 is background, and where the lanes beyond the last pixel of a row went.
  let counted = 0;
  for (let bin = 1; bin < BINS; bin++) counted += load<i32>(at(histogram, bin));
  const wanted = <i32>(<f32>counted * share);
  let below = 0;
  for (let bin = 1; bin < BINS; bin++) {
    if (below >= wanted) return (maximum * <f32>bin) / <f32>BINS;
    below += load<i32>(at(histogram, bin));
  }
  return BLANK_CONTRAST;
}

@inline
function count(histogram: usize, bin: i32): void {
  const address = at(histogram, bin);
  store<i32>(address, load<i32>(address) + 1);
}

/** The vector with all lanes from `lanes` on set to zero. */
@inline
function firstLanes(vector: v128, lanes: i32): v128 {
  return v128.and(vector, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes)));
}

/**
 * How well neighbours conduct: c = 1 / (1 + |gradient|^2 * inverseSquaredContrast), added up for each pixel and its right
 * neighbour (`toRight`) and its lower neighbour (`below`); zero where there is no neighbour. `lines`: scratch for two rows.
 */
export function conductivity(
  smooth: usize, toRight: usize, below: usize, width: i32, height: i32, pitch: i32, inverseSquaredContrast: f32, lines: usize,
): void {
  const rowBytes = <usize>pitch << 2;
  const one = f32x4.splat(1);
  const factor = f32x4.splat(inverseSquaredContrast);
  let previous = lines;
  let current = lines + rowBytes;
  for (let y = 0; y < height; y++) {
    const row = at(smooth, y * pitch);
    for (let x = 0; x < width; x += 4) {
      const square = squaredGradient(at(row, x), rowBytes);
      v128.store(at(current, x), f32x4.div(one, f32x4.add(one, f32x4.mul(square, factor))));
    }
    const right = at(toRight, y * pitch);
    for (let x = 0; x < width; x += 4) {
      v128.store(at(right, x), f32x4.add(v128.load(at(current, x)), v128.load(at(current, x), 4)));
    }
    clearTail(right, width - 1);
    if (y > 0) {
      const down = at(below, (y - 1) * pitch);
      for (let x = 0; x < width; x += 4) {
        v128.store(at(down, x), f32x4.add(v128.load(at(previous, x)), v128.load(at(current, x))));
      }
      clearTail(down, width);
    }
    const swap = previous;
    previous = current;
    current = swap;
  }
  memory.fill(at(below, (height - 1) * pitch), 0, <usize>((width + 3) & ~3) << 2);
}

/** Zeroes a row from `first` to the end of its last vector. */
@inline
function clearTail(row: usize, first: i32): void {
  for (let x = first; x < ((first + 4) & ~3); x++) store<f32>(at(row, x), 0);
}

/**
 * One explicit step: each pixel gains `time` times what flows in from its four neighbours. `flow`: scratch for a row.
 * `source` and `target` differ. The four corners stay as they are, as in OpenCV.
 */
export function diffuse(
  source: usize, target: usize, toRight: usize, below: usize, width: i32, height: i32, pitch: i32, time: f32, flow: usize,
): void {
  const rowBytes = <usize>pitch << 2;
  const factor = f32x4.splat(time);
  memory.fill(flow, 0, rowBytes);
  for (let y = 0; y < height; y++) {
    const start = <usize>(y * pitch) << 2;
    let fromLeft = f32x4.splat(0);
    for (let x = 0; x < width; x += 4) {
      const o = start + (<usize>x << 2);
      const p = source + o;
      const centre = v128.load(p);
      const right = f32x4.mul(v128.load(toRight + o), f32x4.sub(v128.load(p, 4), centre));
      const down = f32x4.mul(v128.load(below + o), f32x4.sub(v128.load(p + rowBytes), centre));
      const left = v128.shuffle<f32>(fromLeft, right, 3, 4, 5, 6);
      const up = v128.load(at(flow, x));
      const gain = f32x4.sub(f32x4.add(f32x4.sub(right, left), down), up);
      v128.store(target + o, f32x4.add(centre, f32x4.mul(gain, factor)));
      v128.store(at(flow, x), down);
      fromLeft = right;
    }
  }
  const last = (height - 1) * pitch;
  keep(source, target, 0);
  keep(source, target, width - 1);
  keep(source, target, last);
  keep(source, target, last + width - 1);
}

@inline
function keep(source: usize, target: usize, pixel: i32): void {
  store<f32>(at(target, pixel), load<f32>(at(source, pixel)));
}
