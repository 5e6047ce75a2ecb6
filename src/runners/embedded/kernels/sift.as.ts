/**
 * SIFT (Lowe 2004) in AssemblyScript SIMD, with the arithmetic of OpenCV 4.x's CV_32F path: every number that decides
 * whether a keypoint exists is computed in the same order of magnitude and precision, so the keypoints are the same.
 * Images are row-major float32 planes; the caller owns the memory layout and passes byte addresses.
 */

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

/** Index mirrored at the border without repeating the edge pixel (BORDER_REFLECT_101). */
@inline
function reflect(index: i32, length: i32): i32 {
  if (length === 1) return 0;
  while (index < 0 || index >= length) index = index < 0 ? -index : 2 * length - 2 - index;
  return index;
}

@inline
function at(plane: usize, index: i32): usize {
  return plane + (<usize>index << 2);
}

/** Bytes to float32, same size. */
export function widen(source: usize, target: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<f32>(at(target, i), <f32>load<u8>(source + i));
}

/** Doubles a byte image bilinearly with pixel centres aligned (cv::resize, INTER_LINEAR). */
export function upscale(source: usize, width: i32, height: i32, target: usize): void {
  const outWidth = width * 2;
  for (let y = 0; y < height * 2; y++) {
    const odd = y & 1;
    const top = (y >> 1) + odd - 1;
    const fy: f32 = odd ? 0.25 : 0.75;
    const rowA = source + <usize>(max(top, 0) * width);
    const rowB = source + <usize>(min(top + 1, height - 1) * width);
    let out = at(target, y * outWidth);
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
}

/**
 * Separable Gaussian. `kernel`: radius + 1 weights, centre first. `row`: scratch for one row and `radius` + 4 floats on
 * either side. `rows`: scratch for 2 * radius + 1 row addresses.
 */
export function blur(
  source: usize, target: usize, width: i32, height: i32, kernel: usize, radius: i32, row: usize, rows: usize,
): void {
  const line = at(row, radius + 4);
  for (let y = 0; y < height; y++) {
    for (let k = 1; k <= radius; k++) {
      store<usize>(at(rows, 2 * k), at(source, reflect(y - k, height) * width));
      store<usize>(at(rows, 2 * k + 1), at(source, reflect(y + k, height) * width));
    }
    blurColumns(at(source, y * width), line, width, kernel, radius, rows);
    for (let k = 1; k <= radius; k++) {
      store<f32>(at(line, -k), load<f32>(at(line, reflect(-k, width))));
      store<f32>(at(line, width - 1 + k), load<f32>(at(line, reflect(width - 1 + k, width))));
    }
    blurLine(line, at(target, y * width), width, kernel, radius);
  }
}

@inline
function blurColumns(centre: usize, line: usize, width: i32, kernel: usize, radius: i32, rows: usize): void {
  const weight0 = v128.load32_splat(kernel);
  let x = 0;
  for (; x + 16 <= width; x += 16) {
    const o = <usize>x << 2;
    let s0 = f32x4.mul(v128.load(centre + o), weight0);
    let s1 = f32x4.mul(v128.load(centre + o, 16), weight0);
    let s2 = f32x4.mul(v128.load(centre + o, 32), weight0);
    let s3 = f32x4.mul(v128.load(centre + o, 48), weight0);
    for (let k = 1; k <= radius; k++) {
      const a = load<usize>(at(rows, 2 * k)) + o;
      const b = load<usize>(at(rows, 2 * k + 1)) + o;
      const weight = v128.load32_splat(at(kernel, k));
      s0 = f32x4.add(s0, f32x4.mul(weight, f32x4.add(v128.load(a), v128.load(b))));
      s1 = f32x4.add(s1, f32x4.mul(weight, f32x4.add(v128.load(a, 16), v128.load(b, 16))));
      s2 = f32x4.add(s2, f32x4.mul(weight, f32x4.add(v128.load(a, 32), v128.load(b, 32))));
      s3 = f32x4.add(s3, f32x4.mul(weight, f32x4.add(v128.load(a, 48), v128.load(b, 48))));
    }
    v128.store(line + o, s0);
    v128.store(line + o, s1, 16);
    v128.store(line + o, s2, 32);
    v128.store(line + o, s3, 48);
  }
  for (; x < width; x++) {
    const o = <usize>x << 2;
    let sum = load<f32>(centre + o) * load<f32>(kernel);
    for (let k = 1; k <= radius; k++) {
      const a = load<usize>(at(rows, 2 * k)) + o;
      const b = load<usize>(at(rows, 2 * k + 1)) + o;
      sum += load<f32>(at(kernel, k)) * (load<f32>(a) + load<f32>(b));
    }
    store<f32>(line + o, sum);
  }
}

@inline
function blurLine(line: usize, out: usize, width: i32, kernel: usize, radius: i32): void {
  const weight0 = v128.load32_splat(kernel);
  let x = 0;
  for (; x + 16 <= width; x += 16) {
    const p = at(line, x);
    let s0 = f32x4.mul(v128.load(p), weight0);
    let s1 = f32x4.mul(v128.load(p, 16), weight0);
    let s2 = f32x4.mul(v128.load(p, 32), weight0);
    let s3 = f32x4.mul(v128.load(p, 48), weight0);
    for (let k = 1; k <= radius; k++) {
      const a = at(p, -k);
      const b = at(p, k);
      const weight = v128.load32_splat(at(kernel, k));
      s0 = f32x4.add(s0, f32x4.mul(weight, f32x4.add(v128.load(a), v128.load(b))));
      s1 = f32x4.add(s1, f32x4.mul(weight, f32x4.add(v128.load(a, 16), v128.load(b, 16))));
      s2 = f32x4.add(s2, f32x4.mul(weight, f32x4.add(v128.load(a, 32), v128.load(b, 32))));
      s3 = f32x4.add(s3, f32x4.mul(weight, f32x4.add(v128.load(a, 48), v128.load(b, 48))));
    }
    const o = at(out, x);
    v128.store(o, s0);
    v128.store(o, s1, 16);
    v128.store(o, s2, 32);
    v128.store(o, s3, 48);
  }
  for (; x < width; x++) {
    const p = at(line, x);
    let sum = load<f32>(p) * load<f32>(kernel);
    for (let k = 1; k <= radius; k++) sum += load<f32>(at(kernel, k)) * (load<f32>(at(p, -k)) + load<f32>(at(p, k)));
    store<f32>(at(out, x), sum);
  }
}

/** Every second pixel of every second row. Safe when `target` is not `source`. */
export function decimate(source: usize, sourceWidth: i32, target: usize, width: i32, height: i32): void {
  for (let y = 0; y < height; y++) {
    const from = at(source, 2 * y * sourceWidth);
    const to = at(target, y * width);
    for (let x = 0; x < width; x++) store<f32>(at(to, x), load<f32>(at(from, 2 * x)));
  }
}

/** Difference of Gaussians at one pixel; `upper` is the more blurred plane. */
@inline
function difference(upper: usize, lower: usize, offset: usize): f32 {
  return load<f32>(upper + offset) - load<f32>(lower + offset);
}

@inline
function difference4(upper: usize, lower: usize, offset: usize): v128 {
  return f32x4.sub(v128.load(upper + offset), v128.load(lower + offset));
}

/** Whether `sign * value` is at least as large as the 3x3 neighbourhood (centre included) in one DoG plane. */
@inline
function dominates(upper: usize, lower: usize, offset: usize, pitch: usize, value: f32, sign: f32): bool {
  const v = value * sign;
  const above = offset - pitch;
  const below = offset + pitch;
  return (
    v >= sign * difference(upper, lower, above - 4) &&
    v >= sign * difference(upper, lower, above) &&
    v >= sign * difference(upper, lower, above + 4) &&
    v >= sign * difference(upper, lower, offset - 4) &&
    v >= sign * difference(upper, lower, offset) &&
    v >= sign * difference(upper, lower, offset + 4) &&
    v >= sign * difference(upper, lower, below - 4) &&
    v >= sign * difference(upper, lower, below) &&
    v >= sign * difference(upper, lower, below + 4)
  );
}

/**
 * Pixels of the DoG plane (g2 - g1) that are above `threshold` in magnitude and extreme among their 26 neighbours.
 * g0..g3 are consecutive Gaussian planes. Writes pixel indices to `out`, at most `capacity`; returns how many there are.
 */
export function findExtrema(
  g0: usize, g1: usize, g2: usize, g3: usize,
  width: i32, height: i32, border: i32, threshold: f32, out: usize, capacity: i32,
): i32 {
  let count = 0;
  const pitch = <usize>width << 2;
  const limit = f32x4.splat(threshold);
  const right = width - border;
  for (let y = border; y < height - border; y++) {
    for (let x = border; x < right; x += 4) {
      const offset = <usize>(y * width + x) << 2;
      const centre = difference4(g2, g1, offset);
      let mask = f32x4.gt(f32x4.abs(centre), limit);
      if (!v128.any_true(mask)) continue;
      // Both horizontal and both vertical neighbours on the same side: cheap, and leaves few pixels for the full test.
      const west = difference4(g2, g1, offset - 4);
      const east = difference4(g2, g1, offset + 4);
      const north = difference4(g2, g1, offset - pitch);
      const south = difference4(g2, g1, offset + pitch);
      const highest = f32x4.max(f32x4.max(west, east), f32x4.max(north, south));
      const lowest = f32x4.min(f32x4.min(west, east), f32x4.min(north, south));
      mask = v128.and(mask, v128.or(f32x4.ge(centre, highest), f32x4.le(centre, lowest)));
      let lanes = i32x4.bitmask(mask);
      while (lanes) {
        const lane = ctz(lanes);
        lanes &= lanes - 1;
        if (x + lane >= right) break;
        const pixel = offset + (<usize>lane << 2);
        const value = difference(g2, g1, pixel);
        const sign: f32 = value > 0 ? 1 : -1;
        if (
          dominates(g2, g1, pixel, pitch, value, sign) &&
          dominates(g3, g2, pixel, pitch, value, sign) &&
          dominates(g1, g0, pixel, pitch, value, sign)
        ) {
          if (count < capacity) store<i32>(at(out, count), y * width + x + lane);
          count++;
        }
      }
    }
  }
  return count;
}

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
