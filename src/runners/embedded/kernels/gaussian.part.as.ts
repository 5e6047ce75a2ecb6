/**
 * Separable Gaussian filters, columns before rows. A filter in memory: its radius as int32, then radius + 1 float32
 * weights, the centre first.
 */
import { at, reflect } from './plane.part.as';

@inline
export function radiusOf(filter: usize): i32 {
  return load<i32>(filter);
}

/**
 * Row `y` of the filtered plane. Up to 3 entries beyond the end of the row are overwritten: rows are made from the top.
 * `line`: first pixel of a scratch row with radius + 4 free entries on either side. `rows`: scratch for 2 * radius + 2
 * addresses.
 */
export function filterRow(
  source: usize, target: usize, y: i32, width: i32, height: i32, filter: usize, line: usize, rows: usize,
): void {
  const radius = radiusOf(filter);
  listRows(source, y, width, height, radius, rows);
  sumColumns(rows, filter, radius, line, 0, width);
  mirrorStart(line, width, radius);
  mirrorEnd(line, width, radius);
  sumAlong(line, filter, radius, at(target, y * width), width);
}

/**
 * The filtered plane in the 3 x 3 pixels around one, as three rows of four (the fourth is of no use); bit for bit what
 * `filterRow` makes.
 */
export function filterPatch(
  source: usize, row: i32, column: i32, width: i32, height: i32, filter: usize, line: usize, rows: usize, out: usize,
): void {
  const radius = radiusOf(filter);
  const first = max(column - 1 - radius, 0);
  const last = min(column + 1 + radius, width - 1);
  const start = line - (<usize>first << 2);
  for (let i = 0; i < 3; i++) {
    listRows(source, row - 1 + i, width, height, radius, rows);
    sumColumns(rows, filter, radius, start, first, last + 1);
    if (first === 0) mirrorStart(start, width, radius);
    if (last === width - 1) mirrorEnd(start, width, radius);
    sumAlong(at(start, column - 1), filter, radius, out + (<usize>i << 4), 3);
  }
}

/** Addresses of the row itself (twice), then of the rows 1, 2, … above and below it. */
@inline
function listRows(source: usize, y: i32, width: i32, height: i32, radius: i32, rows: usize): void {
  for (let k = 0; k <= radius; k++) {
    store<usize>(at(rows, 2 * k), at(source, reflect(y - k, height) * width));
    store<usize>(at(rows, 2 * k + 1), at(source, reflect(y + k, height) * width));
  }
}

/** Fills the margin before a line. */
@inline
function mirrorStart(line: usize, width: i32, radius: i32): void {
  for (let k = 1; k <= radius; k++) store<f32>(at(line, -k), load<f32>(at(line, reflect(-k, width))));
}

/** Fills the margin behind a line. */
@inline
function mirrorEnd(line: usize, width: i32, radius: i32): void {
  for (let k = width; k < width + radius; k++) store<f32>(at(line, k), load<f32>(at(line, reflect(k, width))));
}

/** Weighted sums over the rows, for the columns first..end - 1 and up to 3 more. */
@inline
function sumColumns(rows: usize, filter: usize, radius: i32, line: usize, first: i32, end: i32): void {
  const centre = load<usize>(rows);
  const weight0 = v128.load32_splat(filter, 4);
  let x = first;
  for (; x + 32 <= end; x += 32) {
    const o = <usize>x << 2;
    let s0 = f32x4.mul(v128.load(centre + o), weight0);
    let s1 = f32x4.mul(v128.load(centre + o, 16), weight0);
    let s2 = f32x4.mul(v128.load(centre + o, 32), weight0);
    let s3 = f32x4.mul(v128.load(centre + o, 48), weight0);
    let s4 = f32x4.mul(v128.load(centre + o, 64), weight0);
    let s5 = f32x4.mul(v128.load(centre + o, 80), weight0);
    let s6 = f32x4.mul(v128.load(centre + o, 96), weight0);
    let s7 = f32x4.mul(v128.load(centre + o, 112), weight0);
    for (let k = 1; k <= radius; k++) {
      const pair = at(rows, 2 * k);
      const a = load<usize>(pair) + o;
      const b = load<usize>(pair, 4) + o;
      const weight = v128.load32_splat(at(filter, k), 4);
      s0 = f32x4.add(s0, f32x4.mul(weight, f32x4.add(v128.load(a), v128.load(b))));
      s1 = f32x4.add(s1, f32x4.mul(weight, f32x4.add(v128.load(a, 16), v128.load(b, 16))));
      s2 = f32x4.add(s2, f32x4.mul(weight, f32x4.add(v128.load(a, 32), v128.load(b, 32))));
      s3 = f32x4.add(s3, f32x4.mul(weight, f32x4.add(v128.load(a, 48), v128.load(b, 48))));
      s4 = f32x4.add(s4, f32x4.mul(weight, f32x4.add(v128.load(a, 64), v128.load(b, 64))));
      s5 = f32x4.add(s5, f32x4.mul(weight, f32x4.add(v128.load(a, 80), v128.load(b, 80))));
      s6 = f32x4.add(s6, f32x4.mul(weight, f32x4.add(v128.load(a, 96), v128.load(b, 96))));
      s7 = f32x4.add(s7, f32x4.mul(weight, f32x4.add(v128.load(a, 112), v128.load(b, 112))));
    }
    const out = line + o;
    v128.store(out, s0);
    v128.store(out, s1, 16);
    v128.store(out, s2, 32);
    v128.store(out, s3, 48);
    v128.store(out, s4, 64);
    v128.store(out, s5, 80);
    v128.store(out, s6, 96);
    v128.store(out, s7, 112);
  }
  for (; x < end; x += 4) {
    const o = <usize>x << 2;
    let sum = f32x4.mul(v128.load(centre + o), weight0);
    for (let k = 1; k <= radius; k++) {
      const pair = at(rows, 2 * k);
      const a = load<usize>(pair) + o;
      const b = load<usize>(pair, 4) + o;
      const weight = v128.load32_splat(at(filter, k), 4);
      sum = f32x4.add(sum, f32x4.mul(weight, f32x4.add(v128.load(a), v128.load(b))));
    }
    v128.store(line + o, sum);
  }
}

/** Weighted sums along a line, for `count` pixels and up to 3 more. */
@inline
function sumAlong(line: usize, filter: usize, radius: i32, target: usize, count: i32): void {
  const weight0 = v128.load32_splat(filter, 4);
  let x = 0;
  for (; x + 32 <= count; x += 32) {
    const p = at(line, x);
    let s0 = f32x4.mul(v128.load(p), weight0);
    let s1 = f32x4.mul(v128.load(p, 16), weight0);
    let s2 = f32x4.mul(v128.load(p, 32), weight0);
    let s3 = f32x4.mul(v128.load(p, 48), weight0);
    let s4 = f32x4.mul(v128.load(p, 64), weight0);
    let s5 = f32x4.mul(v128.load(p, 80), weight0);
    let s6 = f32x4.mul(v128.load(p, 96), weight0);
    let s7 = f32x4.mul(v128.load(p, 112), weight0);
    for (let k = 1; k <= radius; k++) {
      const a = at(p, -k);
      const b = at(p, k);
      const weight = v128.load32_splat(at(filter, k), 4);
      s0 = f32x4.add(s0, f32x4.mul(weight, f32x4.add(v128.load(a), v128.load(b))));
      s1 = f32x4.add(s1, f32x4.mul(weight, f32x4.add(v128.load(a, 16), v128.load(b, 16))));
      s2 = f32x4.add(s2, f32x4.mul(weight, f32x4.add(v128.load(a, 32), v128.load(b, 32))));
      s3 = f32x4.add(s3, f32x4.mul(weight, f32x4.add(v128.load(a, 48), v128.load(b, 48))));
      s4 = f32x4.add(s4, f32x4.mul(weight, f32x4.add(v128.load(a, 64), v128.load(b, 64))));
      s5 = f32x4.add(s5, f32x4.mul(weight, f32x4.add(v128.load(a, 80), v128.load(b, 80))));
      s6 = f32x4.add(s6, f32x4.mul(weight, f32x4.add(v128.load(a, 96), v128.load(b, 96))));
      s7 = f32x4.add(s7, f32x4.mul(weight, f32x4.add(v128.load(a, 112), v128.load(b, 112))));
    }
    const out = at(target, x);
    v128.store(out, s0);
    v128.store(out, s1, 16);
    v128.store(out, s2, 32);
    v128.store(out, s3, 48);
    v128.store(out, s4, 64);
    v128.store(out, s5, 80);
    v128.store(out, s6, 96);
    v128.store(out, s7, 112);
  }
  for (; x < count; x += 4) {
    const p = at(line, x);
    let sum = f32x4.mul(v128.load(p), weight0);
    for (let k = 1; k <= radius; k++) {
      const weight = v128.load32_splat(at(filter, k), 4);
      sum = f32x4.add(sum, f32x4.mul(weight, f32x4.add(v128.load(at(p, -k)), v128.load(at(p, k)))));
    }
    v128.store(at(target, x), sum);
  }
}
