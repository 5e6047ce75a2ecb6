/**
 * The heavy parts of SIFT (Lowe 2004) in AssemblyScript SIMD. Steps, constants and float32 precision are those of
 * OpenCV 4.x's default path, so that the keypoints are the same.
 * Images are row-major float32 planes; the caller owns the memory layout and passes byte addresses.
 */

import { at } from './plane.part.as';

export { orientations, describe } from './gradients.part.as';

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

