/** Directions and weights of image gradients. */
import { at } from './plane.part.as';

/** Constants of the inner loops, read from memory: the compiler would build each anew in several steps. */
const CONSTANTS = memory.data<f32>([
  1e-12,
  -0.0117212 / 6.283185307179586,
  0.05265332 / 6.283185307179586,
  -0.11643287 / 6.283185307179586,
  0.19354346 / 6.283185307179586,
  -0.33262347 / 6.283185307179586,
  0.99997726 / 6.283185307179586,
  0.25,
  0.5,
  1,
]);

@inline
function constant(index: usize): v128 {
  return v128.load32_splat(CONSTANTS + (index << 2));
}

/**
 * Angle of (x, y) as a fraction of a full turn, in [0, 1], by the polynomial of cv::fastAtan2 (error about 0.01 degrees).
 */
@inline
export function turn4(y: v128, x: v128): v128 {
  const ax = f32x4.abs(x);
  const ay = f32x4.abs(y);
  const ratio = f32x4.div(f32x4.pmin(ax, ay), f32x4.add(f32x4.pmax(ax, ay), constant(0)));
  const square = f32x4.mul(ratio, ratio);
  let p = f32x4.add(f32x4.mul(constant(1), square), constant(2));
  p = f32x4.add(f32x4.mul(p, square), constant(3));
  p = f32x4.add(f32x4.mul(p, square), constant(4));
  p = f32x4.add(f32x4.mul(p, square), constant(5));
  p = f32x4.add(f32x4.mul(p, square), constant(6));
  p = f32x4.mul(p, ratio);
  p = v128.bitselect(f32x4.sub(constant(7), p), p, f32x4.gt(ay, ax));
  p = v128.bitselect(f32x4.sub(constant(8), p), p, f32x4.lt(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.sub(constant(9), p), p, f32x4.lt(y, f32x4.splat(0)));
}

/**
 * exp(-i^2 / (2 sigma^2)) for i = -radius..radius, followed by four zeros: the two-dimensional Gaussian weight is a product
 * of two of these. Returns the address of the middle one. Each comes from the one before, in float64.
 */
export function gaussianTable(table: usize, radius: i32, sigma: f64): usize {
  const middle = at(table, radius);
  const step = Math.exp(-1 / (2 * sigma * sigma));
  const square = step * step;
  let weight: f64 = 1;
  let ratio = step;
  store<f32>(middle, 1);
  for (let i = 1; i <= radius; i++) {
    weight *= ratio;
    ratio *= square;
    store<f32>(at(middle, i), <f32>weight);
    store<f32>(at(middle, -i), <f32>weight);
  }
  v128.store(at(middle, radius + 1), f32x4.splat(0));
  return middle;
}
