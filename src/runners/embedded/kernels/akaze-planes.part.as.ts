/** Planes of AKAZE: conversion, halving and Gaussian smoothing. */
import { at } from './plane.part.as';

/** Pixels around a smoothed plane that mirror its content; the widest derivative reaches that far. */
const MARGIN: i32 = 4;

/** Grey bytes to 0..1. Up to three bytes beyond `source` are read. */
export function toFloat(source: usize, width: i32, height: i32, target: usize, pitch: i32): void {
  const scale = f32x4.splat(1.0 / 255.0);
  for (let y = 0; y < height; y++) {
    const from = source + <usize>(y * width);
    const to = at(target, y * pitch);
    for (let x = 0; x < width; x += 4) {
      const bytes = v128.load32_zero(from + <usize>x);
      const integers = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
      v128.store(at(to, x), f32x4.mul(f32x4.convert_i32x4_s(integers), scale));
    }
  }
}

/** Mean of each 2 x 2 block, for a source of exactly twice the size. */
export function halve(
  source: usize, sourcePitch: i32, target: usize, width: i32, height: i32, pitch: i32,
): void {
  const quarter = f32x4.splat(0.25);
  for (let y = 0; y < height; y++) {
    const upper = at(source, 2 * y * sourcePitch);
    const lower = at(upper, sourcePitch);
    const to = at(target, y * pitch);
    for (let x = 0; x < width; x += 4) {
      const a = v128.load(at(upper, 2 * x));
      const b = v128.load(at(upper, 2 * x), 16);
      const c = v128.load(at(lower, 2 * x));
      const d = v128.load(at(lower, 2 * x), 16);
      const left = f32x4.add(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7));
      const right = f32x4.add(v128.shuffle<f32>(c, d, 0, 2, 4, 6), v128.shuffle<f32>(c, d, 1, 3, 5, 7));
      v128.store(at(to, x), f32x4.mul(f32x4.add(left, right), quarter));
    }
  }
}

/**
 * Mean of the source area each pixel covers, for sizes that are no exact doubles. `columns` and `rows` give per target
 * index the first source index (int32) and the weights (float32) of the four source pixels from there on.
 */
export function halveUnevenly(
  source: usize, sourcePitch: i32, target: usize, width: i32, height: i32, pitch: i32, columns: usize, rows: usize,
): void {
  for (let y = 0; y < height; y++) {
    const row = rows + <usize>y * 20;
    const from = at(source, load<i32>(row) * sourcePitch);
    const to = at(target, y * pitch);
    const weights = v128.load(row, 4);
    for (let x = 0; x < width; x++) {
      const column = columns + <usize>x * 20;
      const across = v128.load(column, 4);
      let p = at(from, load<i32>(column));
      let sum: f32 = 0;
      sum += f32x4.extract_lane(weights, 0) * dot(v128.load(p), across);
      p = at(p, sourcePitch);
      sum += f32x4.extract_lane(weights, 1) * dot(v128.load(p), across);
      p = at(p, sourcePitch);
      sum += f32x4.extract_lane(weights, 2) * dot(v128.load(p), across);
      p = at(p, sourcePitch);
      sum += f32x4.extract_lane(weights, 3) * dot(v128.load(p), across);
      store<f32>(at(to, x), sum);
    }
  }
}

@inline
function dot(a: v128, b: v128): f32 {
  const products = f32x4.mul(a, b);
  return (
    f32x4.extract_lane(products, 0) + f32x4.extract_lane(products, 1) +
    f32x4.extract_lane(products, 2) + f32x4.extract_lane(products, 3)
  );
}

/**
 * Separable Gaussian; what lies outside repeats the nearest pixel. `kernel`: radius + 1 weights, centre first, radius at
 * most MARGIN. `line`: scratch for a row of `pitch` floats. MARGIN pixels around the target become its mirror image that
 * does not repeat the edge (BORDER_REFLECT_101).
 */
export function blur(
  source: usize, target: usize, width: i32, height: i32, pitch: i32, kernel: usize, radius: i32, line: usize,
): void {
  const start = at(line, MARGIN);
  for (let y = 0; y < height; y++) {
    if (radius === 2) blurColumns5(source, start, y, width, height, pitch, kernel);
    else blurColumns(source, start, y, width, height, pitch, kernel, radius);
    repeatEdges(start, width);
    const to = at(target, y * pitch);
    if (radius === 2) blurLine5(start, to, width, kernel);
    else blurLine(start, to, width, kernel, radius);
    mirrorEdges(to, width);
  }
  const bytes = <usize>pitch << 2;
  for (let k = 1; k <= MARGIN; k++) {
    memory.copy(at(target, -k * pitch - MARGIN), at(target, k * pitch - MARGIN), bytes);
    memory.copy(at(target, (height - 1 + k) * pitch - MARGIN), at(target, (height - 1 - k) * pitch - MARGIN), bytes);
  }
}

@inline
function rowOf(plane: usize, y: i32, height: i32, pitch: i32): usize {
  return at(plane, min(max(y, 0), height - 1) * pitch);
}

@inline
function blurColumns5(
  source: usize, line: usize, y: i32, width: i32, height: i32, pitch: i32, kernel: usize,
): void {
  const a = rowOf(source, y - 2, height, pitch);
  const b = rowOf(source, y - 1, height, pitch);
  const c = at(source, y * pitch);
  const d = rowOf(source, y + 1, height, pitch);
  const e = rowOf(source, y + 2, height, pitch);
  const k0 = v128.load32_splat(kernel);
  const k1 = v128.load32_splat(kernel, 4);
  const k2 = v128.load32_splat(kernel, 8);
  for (let x = 0; x < width; x += 4) {
    const o = <usize>x << 2;
    const near = f32x4.mul(f32x4.add(v128.load(b + o), v128.load(d + o)), k1);
    const far = f32x4.mul(f32x4.add(v128.load(a + o), v128.load(e + o)), k2);
    v128.store(line + o, f32x4.add(f32x4.add(f32x4.mul(v128.load(c + o), k0), near), far));
  }
}

@inline
function blurLine5(line: usize, to: usize, width: i32, kernel: usize): void {
  const k0 = v128.load32_splat(kernel);
  const k1 = v128.load32_splat(kernel, 4);
  const k2 = v128.load32_splat(kernel, 8);
  for (let x = 0; x < width; x += 4) {
    const p = at(line, x);
    const near = f32x4.mul(f32x4.add(v128.load(p - 4), v128.load(p + 4)), k1);
    const far = f32x4.mul(f32x4.add(v128.load(p - 8), v128.load(p + 8)), k2);
    v128.store(at(to, x), f32x4.add(f32x4.add(f32x4.mul(v128.load(p), k0), near), far));
  }
}

@inline
function blurColumns(
  source: usize, line: usize, y: i32, width: i32, height: i32, pitch: i32, kernel: usize, radius: i32,
): void {
  const centre = at(source, y * pitch);
  const weight0 = v128.load32_splat(kernel);
  for (let x = 0; x < width; x += 4) v128.store(at(line, x), f32x4.mul(v128.load(at(centre, x)), weight0));
  for (let k = 1; k <= radius; k++) {
    const above = rowOf(source, y - k, height, pitch);
    const below = rowOf(source, y + k, height, pitch);
    const weight = v128.load32_splat(at(kernel, k));
    for (let x = 0; x < width; x += 4) {
      const pair = f32x4.add(v128.load(at(above, x)), v128.load(at(below, x)));
      v128.store(at(line, x), f32x4.add(v128.load(at(line, x)), f32x4.mul(pair, weight)));
    }
  }
}

@inline
function blurLine(line: usize, to: usize, width: i32, kernel: usize, radius: i32): void {
  for (let x = 0; x < width; x += 4) {
    const p = at(line, x);
    let sum = f32x4.mul(v128.load(p), v128.load32_splat(kernel));
    for (let k = 1; k <= radius; k++) {
      const pair = f32x4.add(v128.load(at(p, -k)), v128.load(at(p, k)));
      sum = f32x4.add(sum, f32x4.mul(pair, v128.load32_splat(at(kernel, k))));
    }
    v128.store(at(to, x), sum);
  }
}

@inline
function repeatEdges(row: usize, width: i32): void {
  const first = load<f32>(row);
  const last = load<f32>(at(row, width - 1));
  for (let k = 1; k <= MARGIN; k++) {
    store<f32>(at(row, -k), first);
    store<f32>(at(row, width - 1 + k), last);
  }
}

@inline
function mirrorEdges(row: usize, width: i32): void {
  for (let k = 1; k <= MARGIN; k++) {
    store<f32>(at(row, -k), load<f32>(at(row, k)));
    store<f32>(at(row, width - 1 + k), load<f32>(at(row, width - 1 - k)));
  }
}
