/** Derivatives over `step` pixels and the determinant of the Hessian. */
import { addMaximaOfRow, ENTRY_BYTES } from './akaze-extrema.part.as';

/** Weight of the middle row or column against the outer ones, which makes the operator nearly isotropic (Scharr 2000). */
const MIDDLE: f32 = 10.0 / 3.0;

/** Change from left to right, smoothed over three rows. `a`: how far the rows are apart, `b`: the columns, in bytes. */
@inline
function across(p: usize, a: usize, b: usize, outer: v128, middle: v128): v128 {
  const above = f32x4.sub(v128.load(p - a + b), v128.load(p - a - b));
  const here = f32x4.sub(v128.load(p + b), v128.load(p - b));
  const below = f32x4.sub(v128.load(p + a + b), v128.load(p + a - b));
  return f32x4.add(f32x4.mul(here, middle), f32x4.mul(f32x4.add(above, below), outer));
}

/** Change from top to bottom, smoothed over three columns. */
@inline
function down(p: usize, a: usize, b: usize, outer: v128, middle: v128): v128 {
  const above = f32x4.add(
    f32x4.mul(v128.load(p - a), middle),
    f32x4.mul(f32x4.add(v128.load(p - a - b), v128.load(p - a + b)), outer),
  );
  const below = f32x4.add(
    f32x4.mul(v128.load(p + a), middle),
    f32x4.mul(f32x4.add(v128.load(p + a - b), v128.load(p + a + b)), outer),
  );
  return f32x4.sub(below, above);
}

@inline
function outerWeight(step: i32): f32 {
  return <f32>1 / (<f32>2 * <f32>step * (MIDDLE + <f32>2));
}

/**
 * Keypoints of one level, in one sweep, so that each row is still in the cache when the next stage needs it: first
 * derivatives `alongX` and `alongY` of a smoothed plane that is mirrored for at least `step` pixels around; `determinant`, for
 * the pixels at least `border` - 1 from the edge; and the list of its maxima, whose length is returned. The map must be
 * cleared. `border` must exceed `step` + 1.
 */
export function findMaxima(
  smooth: usize, alongX: usize, alongY: usize, determinant: usize, width: i32, height: i32, pitch: i32,
  step: i32, border: i32, threshold: f32, map: usize, list: usize,
): i32 {
  let end = list;
  for (let y = 0; y < height; y++) {
    deriveRow(smooth, alongX, alongY, y, width, pitch, step);
    const above = y - step;
    if (above < border - 1 || above > height - border) continue;
    determinantsOfRow(alongX, alongY, determinant, above, width, pitch, step, border - 1);
    if (above <= border) continue;
    end = addMaximaOfRow(determinant, above - 1, width, pitch, border, step, threshold, map, end);
  }
  return <i32>((end - list) / ENTRY_BYTES);
}

@inline
function deriveRow(smooth: usize, alongX: usize, alongY: usize, y: i32, width: i32, pitch: i32, step: i32): void {
  const weight = outerWeight(step);
  const outer = f32x4.splat(weight);
  const middle = f32x4.splat(MIDDLE * weight);
  const a = <usize>(step * pitch) << 2;
  const b = <usize>step << 2;
  for (let x = 0; x < width; x += 4) {
    const o = <usize>(y * pitch + x) << 2;
    v128.store(alongX + o, across(smooth + o, a, b, outer, middle));
    v128.store(alongY + o, down(smooth + o, a, b, outer, middle));
  }
}

/** (Lxx Lyy - Lxy^2) step^4 for the pixels of a row at least `border` from the edge. */
@inline
function determinantsOfRow(
  alongX: usize, alongY: usize, target: usize, y: i32, width: i32, pitch: i32, step: i32, border: i32,
): void {
  const weight = outerWeight(step);
  const outer = f32x4.splat(weight);
  const middle = f32x4.splat(MIDDLE * weight);
  const scale = f32x4.splat(<f32>(step * step * step * step));
  const a = <usize>(step * pitch) << 2;
  const b = <usize>step << 2;
  for (let x = border; x < width - border; x += 4) {
    const o = <usize>(y * pitch + x) << 2;
    const xx = across(alongX + o, a, b, outer, middle);
    const xy = down(alongX + o, a, b, outer, middle);
    const yy = down(alongY + o, a, b, outer, middle);
    v128.store(target + o, f32x4.mul(f32x4.sub(f32x4.mul(xx, yy), f32x4.mul(xy, xy)), scale));
  }
}
