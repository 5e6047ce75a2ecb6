/**
 * Nearest neighbours by Euclidean distance. Most pairs are told apart by their sketches, short vectors whose distance is
 * a lower bound of the true one; the exact distance is computed for the rest, so that the result is exact.
 */

export const NONE: i32 = 1 << 30;
const UNLIMITED: i32 = i32.MAX_VALUE;
/** Train descriptors whose sketches lie interleaved: pairs of values of all of them, then the next pairs. */
const GROUP: i32 = 16;
const PAIRS_BYTES: usize = 64;
/** Squared distances of any two sketches of 32 such values stay below 2^30. */
const GREATEST_VALUE: i32 = 2047;
/** Train descriptors searched together; a multiple of GROUP. Their sketches fill 8 KiB of the first-level cache. */
const TILE: i32 = 128;

/** Descriptors placed for the search. `limits` of train descriptors are readable up to a whole group. */
@unmanaged
export class Placed {
  count: i32;
  descriptors: usize;
  /** Squared lengths of the descriptors. */
  norms: usize;
  /** Of train descriptors interleaved. */
  sketches: usize;
  /** Squared lengths of the sketches; of train descriptors readable up to a whole group. */
  sketchNorms: usize;
  /** Scratch: squared sketch distance from which on a pair changes nothing. */
  limits: usize;
}

@inline
function horizontalSum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/** Dot product of `bytes` bytes of int16, a multiple of 16. */
@inline
function product(a: usize, b: usize, bytes: usize): i32 {
  let sum = i32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(a + k), v128.load(b + k)));
  return horizontalSum(sum);
}

/** Squared length of each vector of `length` int16, a multiple of 8. */
export function squaredNorms(vectors: usize, count: i32, length: i32, out: usize): void {
  const bytes = <usize>length << 1;
  for (let i = 0; i < count; i++) {
    const a = vectors + <usize>i * bytes;
    store<i32>(out + (<usize>i << 2), product(a, a, bytes));
  }
}

/**
 * Dot products of each descriptor with the `size` vectors of a basis, divided by 2^shift, rounded and kept within
 * GREATEST_VALUE, as int16. Keeping them within brings sketches nearer to each other, never apart.
 */
export function sketch(
  descriptors: usize, count: i32, length: i32, basis: usize, size: i32, shift: i32, out: usize,
): void {
  const bytes = <usize>length << 1;
  const half = 1 << (shift - 1);
  for (let i = 0; i < count; i++) {
    const a = descriptors + <usize>i * bytes;
    for (let k = 0; k < size; k++) {
      const value = (product(a, basis + <usize>k * bytes, bytes) + half) >> shift;
      store<i16>(out, <i16>min(max(value, -GREATEST_VALUE), GREATEST_VALUE));
      out += 2;
    }
  }
}

/** Reorders sketches of `size` values for the search; the last group is filled up with what lies behind the last sketch. */
export function interleave(sketches: usize, count: i32, size: i32, out: usize): void {
  for (let first = 0; first < count; first += GROUP) {
    for (let k = 0; k < size; k += 2) {
      for (let i = 0; i < GROUP; i++) {
        store<i32>(out, load<i32>(sketches + (<usize>((first + i) * size + k) << 1)));
        out += 4;
      }
    }
  }
}

/**
 * For each query three int32 to `queryOut`: index of the nearest train descriptor (-1 when there is none), its squared
 * distance, that of the second nearest (2^30 when there is none). The last is exact only where it is below `reach` times
 * the nearest. For each train descriptor two int32 to `trainOut`: index and squared distance of the nearest query. Among
 * equals the lowest index wins. Squared distances must stay below 2^30.
 *
 * `length`: values per descriptor, a multiple of 8. `size`: values per sketch, a multiple of 8. `scale`, `slack`: two
 * sketches are at most `scale` times the distance of their descriptors plus `slack` apart.
 */
export function nearestEuclidean(
  queries: Placed, trains: Placed, length: i32, size: i32, scale: f64, slack: f64, reach: f64,
  queryOut: usize, trainOut: usize,
): void {
  const bytes = <usize>length << 1;
  const sketchBytes = <usize>size << 1;
  const groupBytes = <usize>(size >> 1) * PAIRS_BYTES;
  fill(queries.limits, queries.count);
  fill(trains.limits, trains.count);
  for (let first = 0; first < trains.count; first += TILE) {
    const last = min(first + TILE, trains.count);
    for (let i = 0; i < queries.count; i++) {
      const sketch = queries.sketches + <usize>i * sketchBytes;
      const norm = i32x4.splat(load<i32>(queries.sketchNorms + (<usize>i << 2)));
      const limit = queries.limits + (<usize>i << 2);
      let group = trains.sketches + <usize>(first / GROUP) * groupBytes;
      for (let j = first; j < last; j += GROUP) {
        let near = nearSketches(sketch, norm, group, sketchBytes, trains, j, limit);
        group += groupBytes;
        while (near) {
          const train = j + ctz(near);
          near &= near - 1;
          if (train >= last) break;
          const dot = product(queries.descriptors + <usize>i * bytes, trains.descriptors + <usize>train * bytes, bytes);
          const norms = load<i32>(queries.norms + (<usize>i << 2)) + load<i32>(trains.norms + (<usize>train << 2));
          const distance = norms - 2 * dot;
          const entry = queryOut + <usize>i * 12;
          if (noteForQuery(entry, train, distance)) {
            const useful = min(<f64>load<i32>(entry, 8), <f64>load<i32>(entry, 4) * reach + 1);
            store<i32>(limit, sketchLimit(useful, scale, slack));
          }
          const reverse = trainOut + (<usize>train << 3);
          if (distance < load<i32>(reverse, 4)) {
            store<i32>(reverse, i);
            store<i32>(reverse, distance, 4);
            store<i32>(trains.limits + (<usize>train << 2), sketchLimit(<f64>distance, scale, slack));
          }
        }
      }
    }
  }
}

function fill(limits: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<i32>(limits + (<usize>i << 2), UNLIMITED);
}

/** Squared sketch distance that descriptors at least sqrt(distance) apart can never be below, or more. */
@inline
function sketchLimit(distance: f64, scale: f64, slack: f64): i32 {
  const limit = sqrt(distance) * scale + slack;
  return <i32>min(ceil(limit * limit), <f64>UNLIMITED);
}

@inline
function noteForQuery(entry: usize, train: i32, distance: i32): bool {
  if (distance >= load<i32>(entry, 8)) return false;
  const nearest = load<i32>(entry, 4);
  if (distance < nearest) {
    store<i32>(entry, nearest, 8);
    store<i32>(entry, distance, 4);
    store<i32>(entry, train);
  } else {
    store<i32>(entry, distance, 8);
  }
  return true;
}

/** One bit for each of 16 train descriptors: whether its sketch is so near that the pair may matter to either side. */
@inline
function nearSketches(
  sketch: usize, norm: v128, group: usize, sketchBytes: usize, trains: Placed, j: i32, limit: usize,
): i32 {
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  let s3 = i32x4.splat(0);
  let p = group;
  const end = sketch + sketchBytes;
  for (let q = sketch; q < end; q += 16) {
    const a = v128.load32_splat(q);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a, v128.load(p)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a, v128.load(p, 16)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(a, v128.load(p, 32)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(a, v128.load(p, 48)));
    const b = v128.load32_splat(q, 4);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(b, v128.load(p, 64)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(b, v128.load(p, 80)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(b, v128.load(p, 96)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(b, v128.load(p, 112)));
    const c = v128.load32_splat(q, 8);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, v128.load(p, 128)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, v128.load(p, 144)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(c, v128.load(p, 160)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(c, v128.load(p, 176)));
    const d = v128.load32_splat(q, 12);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(d, v128.load(p, 192)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(d, v128.load(p, 208)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(d, v128.load(p, 224)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(d, v128.load(p, 240)));
    p += 4 * PAIRS_BYTES;
  }
  const queryLimit = v128.load32_splat(limit);
  const norms = trains.sketchNorms + (<usize>j << 2);
  const limits = trains.limits + (<usize>j << 2);
  return (
    nearFour(s0, norm, queryLimit, norms, limits) |
    (nearFour(s1, norm, queryLimit, norms + 16, limits + 16) << 4) |
    (nearFour(s2, norm, queryLimit, norms + 32, limits + 32) << 8) |
    (nearFour(s3, norm, queryLimit, norms + 48, limits + 48) << 12)
  );
}

@inline
function nearFour(products: v128, norm: v128, queryLimit: v128, norms: usize, limits: usize): i32 {
  const distances = i32x4.sub(i32x4.add(norm, v128.load(norms)), i32x4.shl(products, 1));
  return i32x4.bitmask(i32x4.lt_s(distances, i32x4.max_s(queryLimit, v128.load(limits))));
}
