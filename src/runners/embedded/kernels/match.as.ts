/**
 * Exact two-nearest-neighbour search in AssemblyScript SIMD. For each query three int32 are written: the index of the
 * nearest train descriptor (-1 when there is none), its distance and the distance of the second nearest (2^30 when there
 * is none). Among equals the lowest index wins.
 */

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

const NONE: i32 = 1 << 30;

@inline
function horizontalSum(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/** Squared length of each int16 descriptor; `length` values, a multiple of 16. */
export function squaredNorms(descriptors: usize, count: i32, length: i32, out: usize): void {
  const bytes = <usize>length << 1;
  for (let i = 0; i < count; i++) {
    const a = descriptors + <usize>i * bytes;
    let sum = i32x4.splat(0);
    for (let k: usize = 0; k < bytes; k += 16) sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(a + k), v128.load(a + k)));
    store<i32>(out + (<usize>i << 2), horizontalSum(sum));
  }
}

/**
 * Squared Euclidean distance of int16 descriptors holding 0..255, exact in int32: |a|^2 + |b|^2 - 2 a.b
 * `length` values per descriptor, a multiple of 16.
 */
export function nearestEuclidean(
  queries: usize, queryNorms: usize, queryCount: i32,
  trains: usize, trainNorms: usize, trainCount: i32,
  length: i32, out: usize,
): void {
  const bytes = <usize>length << 1;
  for (let i = 0; i < queryCount; i++) {
    const a = queries + <usize>i * bytes;
    const queryNorm = load<i32>(queryNorms + (<usize>i << 2));
    let best = -1;
    let nearest = NONE;
    let second = NONE;
    for (let j = 0; j < trainCount; j++) {
      const b = trains + <usize>j * bytes;
      let even = i32x4.splat(0);
      let odd = i32x4.splat(0);
      for (let k: usize = 0; k < bytes; k += 32) {
        even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(a + k), v128.load(b + k)));
        odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(a + k, 16), v128.load(b + k, 16)));
      }
      const distance = queryNorm + load<i32>(trainNorms + (<usize>j << 2)) - 2 * horizontalSum(i32x4.add(even, odd));
      if (distance < nearest) {
        second = nearest;
        nearest = distance;
        best = j;
      } else if (distance < second) {
        second = distance;
      }
    }
    write(out, i, best, nearest, second);
  }
}

/** Hamming distance of binary descriptors of `bytes` bytes, a multiple of 16 and at most 240. */
export function nearestHamming(
  queries: usize, queryCount: i32, trains: usize, trainCount: i32, bytes: i32, out: usize,
): void {
  const length = <usize>bytes;
  for (let i = 0; i < queryCount; i++) {
    const a = queries + <usize>i * length;
    let best = -1;
    let nearest = NONE;
    let second = NONE;
    for (let j = 0; j < trainCount; j++) {
      const b = trains + <usize>j * length;
      let bits = i8x16.splat(0);
      for (let k: usize = 0; k < length; k += 16) {
        bits = i8x16.add(bits, i8x16.popcnt(v128.xor(v128.load(a + k), v128.load(b + k))));
      }
      const distance = horizontalSum(i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bits)));
      if (distance < nearest) {
        second = nearest;
        nearest = distance;
        best = j;
      } else if (distance < second) {
        second = distance;
      }
    }
    write(out, i, best, nearest, second);
  }
}

@inline
function write(out: usize, query: i32, best: i32, nearest: i32, second: i32): void {
  const o = out + <usize>query * 12;
  store<i32>(o, best);
  store<i32>(o, nearest, 4);
  store<i32>(o, second, 8);
}
