/** Main direction and modified local difference binary descriptor (M-LDB, 486 bits) of keypoints. */
import { at } from './plane.part.as';

const KEYPOINT_BYTES: usize = 16;
const DESCRIPTOR_BYTES: usize = 64;

/** The direction comes from the samples less than this many steps away. */
const DISC_RADIUS: i32 = 6;
/** Samples of the disc, rounded up to whole vectors; the surplus has no weight. */
const DISC_SAMPLES: i32 = 112;
const SLICES: i32 = 42;
/** Slices that are looked at together: a sixth of a turn. */
const WINDOW: i32 = 7;
const RADIANS: f32 = 3.141592653589793 / 180.0;
const SLICE_RADIANS: f32 = 2.0 * 3.141592653589793 / 42.0;

/** The descriptor covers the samples -REACH..REACH steps from the keypoint in both directions. */
const REACH: i32 = 10;
const SIDE: i32 = 2 * REACH + 1;
/** SIDE, rounded up to whole vectors. */
const SIDE_VECTORS: i32 = 24;

/* Layout of the scratch memory, in bytes. */
const OFFSETS: usize = 0;
const WEIGHTS: usize = 448;
const SLICE_SUMS: usize = 896;
const ACROSS_X: usize = 1344;
const ACROSS_Y: usize = 1440;
const VALUES: usize = 1536;
const FINE_SUMS: usize = 1728;
const SUMS: usize = 1984;
const WRITER: usize = 2128;
const SAMPLES: usize = 2144;

/**
 * Directions and descriptors of `count` keypoints of one level. `keypoints`: as `refine` writes them; the direction in
 * degrees (y down) is stored as the fourth float. `ratio`: pixels of the frame per pixel of the level. `step`: distance of
 * samples in pixels of the level. `out`: 64 bytes per keypoint. `scratch`: 10 KiB.
 */
export function describe(
  keypoints: usize, count: i32, plane: usize, alongX: usize, alongY: usize,
  width: i32, height: i32, pitch: i32, ratio: f32, step: i32, out: usize, scratch: usize,
): void {
  prepareDisc(step, pitch, scratch);
  for (let i = 0; i < count; i++) {
    const keypoint = keypoints + <usize>i * KEYPOINT_BYTES;
    const x = load<f32>(keypoint) / ratio;
    const y = load<f32>(keypoint, 4) / ratio;
    const pixel = <i32>nearest(y) * pitch + <i32>nearest(x);
    const angle = direction(at(alongX, pixel), at(alongY, pixel), scratch);
    store<f32>(keypoint, angle, 12);
    const radians = <f64>(angle * RADIANS);
    const cosine = <f32>Math.cos(radians);
    const sine = <f32>Math.sin(radians);
    sample(plane, alongX, alongY, width, height, pitch, x, y, cosine, sine, <f32>step, scratch);
    compare(cosine, sine, scratch, out + <usize>i * DESCRIPTOR_BYTES);
  }
}

/** Byte offsets and Gaussian weights (2.5 steps) of the disc's samples. */
function prepareDisc(step: i32, pitch: i32, scratch: usize): void {
  memory.fill(scratch, 0, SLICE_SUMS);
  const variance = 2.5 * 2.5;
  let sample = 0;
  for (let i = -DISC_RADIUS; i <= DISC_RADIUS; i++) {
    for (let j = -DISC_RADIUS; j <= DISC_RADIUS; j++) {
      const square = i * i + j * j;
      if (square >= DISC_RADIUS * DISC_RADIUS) continue;
      store<i32>(at(scratch + OFFSETS, sample), (i * pitch + j) * step * 4);
      const weight = Math.exp(<f64>square / (-2 * variance)) / (2 * Math.PI * variance);
      store<f32>(at(scratch + WEIGHTS, sample), <f32>weight);
      sample++;
    }
  }
}

/** Angle of (x, y) in degrees, 0..360, by the polynomial of cv::fastAtan2 (error about 0.3 degrees). */
@inline
function degrees4(y: v128, x: v128): v128 {
  const ax = f32x4.abs(x);
  const ay = f32x4.abs(y);
  const ratio = f32x4.div(f32x4.pmin(ax, ay), f32x4.add(f32x4.pmax(ax, ay), f32x4.splat(2.220446049250313e-16)));
  const square = f32x4.mul(ratio, ratio);
  let p = f32x4.splat(-0.04432655554792128 * (180.0 / 3.141592653589793));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(0.1555786518463281 * (180.0 / 3.141592653589793)));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(-0.3258083974640975 * (180.0 / 3.141592653589793)));
  p = f32x4.add(f32x4.mul(p, square), f32x4.splat(0.9997878412794807 * (180.0 / 3.141592653589793)));
  p = f32x4.mul(p, ratio);
  p = v128.bitselect(f32x4.sub(f32x4.splat(90), p), p, f32x4.gt(ay, ax));
  p = v128.bitselect(f32x4.sub(f32x4.splat(180), p), p, f32x4.lt(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.sub(f32x4.splat(360), p), p, f32x4.lt(y, f32x4.splat(0)));
}

@inline
function gather(p: usize, offsets: usize): v128 {
  let v = v128.load32_zero(p + load<i32>(offsets));
  v = v128.load32_lane(p + load<i32>(offsets, 4), v, 1);
  v = v128.load32_lane(p + load<i32>(offsets, 8), v, 2);
  return v128.load32_lane(p + load<i32>(offsets, 12), v, 3);
}

@inline
function addToSlice(slices: usize, bin: i32, gradient: v128): void {
  const address = slices + (<usize>(<u32>bin < <u32>SLICES ? bin : 0) << 3);
  v128.store64_lane(address, f32x4.add(v128.load64_zero(address), gradient), 0);
}

/** Direction, in degrees, of the strongest sum of gradients within a sixth of a turn (Bay et al., SURF, ECCV 2006). */
@inline
function direction(alongX: usize, alongY: usize, scratch: usize): f32 {
  const slices = scratch + SLICE_SUMS;
  memory.fill(slices, 0, <usize>(SLICES + WINDOW) << 3);
  for (let i = 0; i < DISC_SAMPLES; i += 4) {
    const offsets = at(scratch + OFFSETS, i);
    const weights = v128.load(at(scratch + WEIGHTS, i));
    const x = f32x4.mul(gather(alongX, offsets), weights);
    const y = f32x4.mul(gather(alongY, offsets), weights);
    const angles = f32x4.mul(degrees4(y, x), f32x4.splat(RADIANS));
    const bins = i32x4.trunc_sat_f32x4_s(f32x4.div(angles, f32x4.splat(SLICE_RADIANS)));
    const low = v128.shuffle<f32>(x, y, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(x, y, 2, 6, 3, 7);
    addToSlice(slices, i32x4.extract_lane(bins, 0), low);
    addToSlice(slices, i32x4.extract_lane(bins, 1), v128.shuffle<i64>(low, low, 1, 1));
    addToSlice(slices, i32x4.extract_lane(bins, 2), high);
    addToSlice(slices, i32x4.extract_lane(bins, 3), v128.shuffle<i64>(high, high, 1, 1));
  }
  memory.copy(slices + (<usize>SLICES << 3), slices, <usize>WINDOW << 3);
  let strongest: f32 = -1;
  let bestX: f32 = 0;
  let bestY: f32 = 0;
  // Two windows at a time: the one from slice `start` on, and its neighbour.
  for (let start = 0; start < SLICES; start += 2) {
    const p = slices + (<usize>start << 3);
    let sum = v128.load(p);
    sum = f32x4.add(sum, v128.load(p, 8));
    sum = f32x4.add(sum, v128.load(p, 16));
    sum = f32x4.add(sum, v128.load(p, 24));
    sum = f32x4.add(sum, v128.load(p, 32));
    sum = f32x4.add(sum, v128.load(p, 40));
    sum = f32x4.add(sum, v128.load(p, 48));
    const squares = f32x4.mul(sum, sum);
    const first = f32x4.extract_lane(squares, 0) + f32x4.extract_lane(squares, 1);
    const second = f32x4.extract_lane(squares, 2) + f32x4.extract_lane(squares, 3);
    if (first > strongest) {
      strongest = first;
      bestX = f32x4.extract_lane(sum, 0);
      bestY = f32x4.extract_lane(sum, 1);
    }
    if (second > strongest) {
      strongest = second;
      bestX = f32x4.extract_lane(sum, 2);
      bestY = f32x4.extract_lane(sum, 3);
    }
  }
  return f32x4.extract_lane(degrees4(f32x4.splat(bestY), f32x4.splat(bestX)), 0);
}

/**
 * Intensity and both derivatives at the nearest pixel of each sample of the turned square, as (intensity, x, y, 1), by rows
 * of SIDE; zeros for samples outside of the plane.
 */
@inline
function sample(
  plane: usize, alongX: usize, alongY: usize, width: i32, height: i32, pitch: i32,
  x: f32, y: f32, cosine: f32, sine: f32, step: f32, scratch: usize,
): void {
  for (let l = 0; l < SIDE_VECTORS; l++) {
    const across = <f32>(l - REACH);
    store<f32>(at(scratch + ACROSS_X, l), -across * sine * step);
    store<f32>(at(scratch + ACROSS_Y, l), across * cosine * step);
  }
  const x4 = f32x4.splat(x);
  const y4 = f32x4.splat(y);
  const limitX = i32x4.splat(width);
  const limitY = i32x4.splat(height);
  const pitch4 = i32x4.splat(pitch);
  let target = scratch + SAMPLES;
  for (let k = -REACH; k <= REACH; k++) {
    const alongRowX = f32x4.splat(<f32>k * cosine * step);
    const alongRowY = f32x4.splat(<f32>k * sine * step);
    for (let l = 0; l < SIDE_VECTORS; l += 4) {
      const sampleX = f32x4.add(x4, f32x4.add(v128.load(at(scratch + ACROSS_X, l)), alongRowX));
      const sampleY = f32x4.add(y4, f32x4.add(v128.load(at(scratch + ACROSS_Y, l)), alongRowY));
      const column = i32x4.trunc_sat_f32x4_s(f32x4.nearest(sampleX));
      const row = i32x4.trunc_sat_f32x4_s(f32x4.nearest(sampleY));
      const outside = v128.not(v128.and(i32x4.lt_u(column, limitX), i32x4.lt_u(row, limitY)));
      const offsets = i32x4.shl(i32x4.add(i32x4.mul(row, pitch4), column), 2);
      const lanes = i32x4.bitmask(outside);
      take(plane, alongX, alongY, i32x4.extract_lane(offsets, 0), lanes & 1, target);
      if (l + 1 < SIDE) {
        take(plane, alongX, alongY, i32x4.extract_lane(offsets, 1), lanes & 2, target + 16);
        take(plane, alongX, alongY, i32x4.extract_lane(offsets, 2), lanes & 4, target + 32);
        take(plane, alongX, alongY, i32x4.extract_lane(offsets, 3), lanes & 8, target + 48);
      }
      target += 64;
    }
    target -= <usize>(SIDE_VECTORS - SIDE) << 4;
  }
}

@inline
function take(plane: usize, alongX: usize, alongY: usize, offset: i32, isOutside: i32, target: usize): void {
  if (isOutside) {
    v128.store(target, f32x4.splat(0));
  } else {
    store<f32>(target, load<f32>(plane + offset));
    store<f32>(target, load<f32>(alongX + offset), 4);
    store<f32>(target, load<f32>(alongY + offset), 8);
    store<f32>(target, 1, 12);
  }
}

/** Means over the cells of a 2 x 2, a 3 x 3 and a 4 x 4 grid, each compared with all others of its grid. */
@inline
function compare(cosine: f32, sine: f32, scratch: usize, out: usize): void {
  const fine = scratch + FINE_SUMS;
  const sums = scratch + SUMS;
  sumFineCells(scratch + SAMPLES, fine);
  const writer = scratch + WRITER;
  store<u64>(writer, 0);
  store<i32>(writer, 0, 8);
  store<usize>(writer, out, 12);
  for (let row = 0; row < 4; row += 2) {
    for (let column = 0; column < 4; column += 2) {
      const p = fine + (<usize>(row * 4 + column) << 4);
      const upper = f32x4.add(v128.load(p), v128.load(p, 16));
      const lower = f32x4.add(v128.load(p, 64), v128.load(p, 80));
      v128.store(sums + (<usize>(row + column / 2) << 4), f32x4.add(upper, lower));
    }
  }
  writeComparisons(sums, 4, cosine, sine, scratch + VALUES, writer);
  sumMiddleCells(scratch + SAMPLES, sums);
  writeComparisons(sums, 9, cosine, sine, scratch + VALUES, writer);
  writeComparisons(fine, 16, cosine, sine, scratch + VALUES, writer);
  store<u32>(load<usize>(writer, 12), load<u32>(writer));
}
/** Sums over the 4 x 4 cells of 5 x 5 samples. */
@inline
function sumFineCells(samples: usize, out: usize): void {
  for (let row = 0; row < 4; row++) {
    // Four cells side by side: one sum would wait for its own additions.
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    for (let k = 0; k < 5; k++) {
      let p = samples + (<usize>((row * 5 + k) * SIDE) << 4);
      for (let l = 0; l < 5; l++) {
        a = f32x4.add(a, v128.load(p));
        b = f32x4.add(b, v128.load(p, 80));
        c = f32x4.add(c, v128.load(p, 160));
        d = f32x4.add(d, v128.load(p, 240));
        p += 16;
      }
    }
    const to = out + (<usize>row << 6);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
  }
}

/** Sums over the 3 x 3 cells of 7 x 7 samples. */
@inline
function sumMiddleCells(samples: usize, out: usize): void {
  for (let row = 0; row < 3; row++) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    for (let k = 0; k < 7; k++) {
      let p = samples + (<usize>((row * 7 + k) * SIDE) << 4);
      for (let l = 0; l < 7; l++) {
        a = f32x4.add(a, v128.load(p));
        b = f32x4.add(b, v128.load(p, 112));
        c = f32x4.add(c, v128.load(p, 224));
        p += 16;
      }
    }
    const to = out + <usize>row * 48;
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
  }
}

/**
 * Appends a bit for each pair of cells, whether the mean of the first is greater, for intensity and for the derivatives
 * along and across the keypoint's direction. `sums`: (intensity, x, y, samples) per cell. `values`: scratch. `writer`: bits
 * not yet written (u64), how many (i32), and where they go.
 */
@inline
function writeComparisons(sums: usize, cells: i32, cosine: f32, sine: f32, values: usize, writer: usize): void {
  for (let cell = 0; cell < cells; cell++) {
    const sum = v128.load(sums + (<usize>cell << 4));
    const samples = f32x4.extract_lane(sum, 3);
    const share: f32 = samples > 0 ? <f32>1 / samples : 0;
    const x = f32x4.extract_lane(sum, 1);
    const y = f32x4.extract_lane(sum, 2);
    const to = at(values, cell);
    store<f32>(to, f32x4.extract_lane(sum, 0) * share);
    store<f32>(to, (y * cosine - x * sine) * share, 64);
    store<f32>(to, (x * cosine + y * sine) * share, 128);
  }
  let bits = load<u64>(writer);
  let filled = load<i32>(writer, 8);
  let target = load<usize>(writer, 12);
  for (let channel = 0; channel < 3; channel++) {
    const row = values + (<usize>channel << 6);
    const a = v128.load(row);
    const b = v128.load(row, 16);
    const c = v128.load(row, 32);
    const d = v128.load(row, 48);
    for (let i = 0; i < cells - 1; i++) {
      const value = v128.load32_splat(at(row, i));
      const low = i16x8.narrow_i32x4_s(f32x4.gt(value, a), f32x4.gt(value, b));
      const high = i16x8.narrow_i32x4_s(f32x4.gt(value, c), f32x4.gt(value, d));
      const greater = i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)) & ((1 << cells) - 1);
      bits |= <u64>(greater >> (i + 1)) << <u64>filled;
      filled += cells - 1 - i;
      if (filled >= 32) {
        store<u32>(target, <u32>bits);
        target += 4;
        bits >>= 32;
        filled -= 32;
      }
    }
  }
  store<u64>(writer, bits);
  store<i32>(writer, filled, 8);
  store<usize>(writer, target, 12);
}
