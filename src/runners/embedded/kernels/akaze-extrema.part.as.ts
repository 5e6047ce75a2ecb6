/**
 * Keypoints of one level: maxima of the Hessian's determinant, compared with those of the levels below and above.
 *
 * A level has a list of its maxima in raster order, 8 bytes each (pixel index within the plane as int32, determinant as
 * float32), and a map of `pitch` bytes per row that says what became of the maximum at a pixel.
 */
import { at } from './plane.part.as';

/** The level below or this one has nothing better nearby. */
const ALIVE: u8 = 1;
/** Gave way to the level below, but was alive when it competed with the level above. */
const BEATEN: u8 = 2;
export const ENTRY_BYTES: usize = 8;
const ALIVE_BITS: u64 = 0x0101010101010101;

/**
 * First living maximum around (x, y), by rows, or -1. Searched are the `radius` (at most 4) pixels to the left and above and
 * `radius` - 1 to the right and below, no farther than `radius`: OpenCV's window.
 */
@inline
function livingNeighbour(map: usize, pitch: i32, x: i32, y: i32, radius: i32): i32 {
  const window = ALIVE_BITS >> <u64>(64 - 16 * radius);
  for (let row = y - radius; row < y + radius; row++) {
    const start = row * pitch + x - radius;
    let bits = load<u64>(map + <usize>start) & window;
    while (bits) {
      const column = <i32>(ctz(bits) >> 3);
      bits &= bits - 1;
      const dx = column - radius;
      const dy = row - y;
      if (dx * dx + dy * dy <= radius * radius) return start + column;
    }
  }
  return -1;
}

/**
 * Appends to a level's list the maxima of one row, above `threshold`, at least `border` pixels from the edge, and each the
 * greatest within `radius` pixels so far: one that loses to a later one stays in the list, but not in the map.
 *
 * @param end where the list ends so far
 * @returns where it ends now
 */
@inline
export function addMaximaOfRow(
  plane: usize, y: i32, width: i32, pitch: i32, border: i32, radius: i32, threshold: f32, map: usize, end: usize,
): usize {
  const rowBytes = <usize>pitch << 2;
  const limit = f32x4.splat(threshold);
  const right = width - border;
  for (let x = border; x < right; x += 4) {
    const p = at(plane, y * pitch + x);
    const centre = v128.load(p);
    let mask = f32x4.gt(centre, limit);
    if (!v128.any_true(mask)) continue;
    const sides = f32x4.pmax(v128.load(p - 4), v128.load(p + 4));
    const above = f32x4.pmax(v128.load(p - rowBytes), f32x4.pmax(v128.load(p - rowBytes - 4), v128.load(p - rowBytes + 4)));
    const below = f32x4.pmax(v128.load(p + rowBytes), f32x4.pmax(v128.load(p + rowBytes - 4), v128.load(p + rowBytes + 4)));
    mask = v128.and(mask, f32x4.gt(centre, f32x4.pmax(sides, f32x4.pmax(above, below))));
    let lanes = i32x4.bitmask(mask);
    while (lanes) {
      const lane = ctz(lanes);
      lanes &= lanes - 1;
      if (x + lane >= right) break;
      const pixel = y * pitch + x + lane;
      const value = load<f32>(at(plane, pixel));
      const rival = livingNeighbour(map, pitch, x + lane, y, radius);
      if (rival >= 0) {
        if (value <= load<f32>(at(plane, rival))) continue;
        store<u8>(map + <usize>rival, 0);
      }
      store<u8>(map + <usize>pixel, ALIVE);
      store<i32>(end, pixel);
      store<f32>(end, value, 4);
      end += ENTRY_BYTES;
    }
  }
  return end;
}

/**
 * Removes the maxima of the level below that are weaker than one of this level nearby. `ratio`: pixels of the level below
 * per pixel of this one, 1 or 2. `radius`: in pixels of the level below.
 */
export function suppressBelow(
  list: usize, count: i32, map: usize, pitch: i32,
  lowerPlane: usize, lowerMap: usize, lowerPitch: i32, ratio: i32, radius: i32,
): void {
  for (let i = 0; i < count; i++) {
    const entry = list + <usize>i * ENTRY_BYTES;
    const pixel = load<i32>(entry);
    if (load<u8>(map + <usize>pixel) === 0) continue;
    const rival = livingNeighbour(lowerMap, lowerPitch, (pixel % pitch) * ratio, (pixel / pitch) * ratio, radius);
    if (rival >= 0 && load<f32>(entry, 4) > load<f32>(at(lowerPlane, rival))) store<u8>(lowerMap + <usize>rival, 0);
  }
}

/**
 * Beats the maxima of the level above that are weaker than one of this level nearby; those of this level that were beaten by
 * the one below still count. `radius`: in pixels of the level above.
 */
export function suppressAbove(
  list: usize, count: i32, map: usize, pitch: i32,
  upperPlane: usize, upperMap: usize, upperPitch: i32, ratio: i32, radius: i32,
): void {
  for (let i = 0; i < count; i++) {
    const entry = list + <usize>i * ENTRY_BYTES;
    const pixel = load<i32>(entry);
    if (load<u8>(map + <usize>pixel) === 0) continue;
    const rival = livingNeighbour(upperMap, upperPitch, (pixel % pitch) / ratio, pixel / pitch / ratio, radius);
    if (rival >= 0 && load<f32>(entry, 4) > load<f32>(at(upperPlane, rival))) store<u8>(upperMap + <usize>rival, BEATEN);
  }
}

/**
 * Places of the living maxima to a fraction of a pixel, by a quadratic fit; what does not settle within a pixel is dropped.
 * Writes 16 bytes each (float32 x, y in pixels of the frame, determinant, 0) and returns how many. `ratio`: pixels of the
 * frame per pixel of the level.
 */
export function refine(list: usize, count: i32, map: usize, plane: usize, pitch: i32, ratio: f32, out: usize): i32 {
  const rowBytes = <usize>pitch << 2;
  let target = out;
  for (let i = 0; i < count; i++) {
    const entry = list + <usize>i * ENTRY_BYTES;
    const pixel = load<i32>(entry);
    if (load<u8>(map + <usize>pixel) !== ALIVE) continue;
    const p = at(plane, pixel);
    const a = p - rowBytes;
    const b = p + rowBytes;
    const centre = load<f32>(p);
    const slopeX = <f32>0.5 * (load<f32>(p + 4) - load<f32>(p - 4));
    const slopeY = <f32>0.5 * (load<f32>(b) - load<f32>(a));
    const xx = <f64>(load<f32>(p + 4) + load<f32>(p - 4) - <f32>2 * centre);
    const yy = <f64>(load<f32>(b) + load<f32>(a) - <f32>2 * centre);
    const xy = <f64>(<f32>0.25 * (load<f32>(b + 4) + load<f32>(a - 4) - load<f32>(a + 4) - load<f32>(b - 4)));
    const determinant = xx * yy - xy * xy;
    const inverse = determinant === 0 ? 0 : 1 / determinant;
    const dx = <f32>((<f64>slopeY * xy - <f64>slopeX * yy) * inverse);
    const dy = <f32>((<f64>slopeX * xy - <f64>slopeY * xx) * inverse);
    if (abs(dx) > 1 || abs(dy) > 1) continue;
    // Centres of the level's pixels lie in the middle of the blocks of the frame they stand for.
    const centring = <f32>0.5 * (ratio - <f32>1);
    store<f32>(target, <f32>(pixel % pitch) * ratio + (dx * ratio + centring));
    store<f32>(target, <f32>(pixel / pitch) * ratio + (dy * ratio + centring), 4);
    store<f32>(target, centre, 8);
    store<f32>(target, 0, 12);
    target += 16;
  }
  return <i32>((target - out) >> 4);
}
