/**
 * Exact nearest-neighbour search in both directions in AssemblyScript SIMD. Up to three descriptors and norms beyond the
 * last train descriptor are read (never used): the caller reserves for them.
 *
 * Results, int32: for each query the index of the nearest train descriptor (-1 when there is none), its distance and the
 * distance of the second nearest (2^30 when there is none); for each train descriptor the index of the nearest query and
 * its distance. Among equals the lowest index wins.
 */

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

const NONE: i32 = 1 << 30;
/** Train descriptors searched together; a multiple of 4. 64 SIFT descriptors fill 16 KiB. */
const TILE: i32 = 64;

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
 * Squared Euclidean distance of int16 descriptors, |a|^2 + |b|^2 - 2 a.b, exact as long as it stays below 2^30.
 * `length` values per descriptor, a multiple of 8. Four train descriptors at a time: the query is loaded once for all.
 */
export function nearestEuclidean(
  queries: usize, queryNorms: usize, queryCount: i32,
  trains: usize, trainNorms: usize, trainCount: i32,
  length: i32, queryOut: usize, trainOut: usize,
): void {
  const bytes = <usize>length << 1;
  clear(queryOut, queryCount, trainOut, trainCount);
  // In tiles that stay in the first-level cache, or memory bandwidth sets the pace.
  for (let first = 0; first < trainCount; first += TILE) {
    const last = min(first + TILE, trainCount);
    for (let i = 0; i < queryCount; i++) {
      const a = queries + <usize>i * bytes;
      const norm = load<i32>(queryNorms + (<usize>i << 2));
      for (let j = first; j < last; j += 4) {
        const products = fourProducts(a, trains + <usize>j * bytes, bytes);
        const norms = i32x4.add(i32x4.splat(norm), v128.load(trainNorms + (<usize>j << 2)));
        const distances = i32x4.sub(norms, i32x4.shl(products, 1));
        note(queryOut, trainOut, i, j, i32x4.extract_lane(distances, 0));
        if (j + 1 < last) note(queryOut, trainOut, i, j + 1, i32x4.extract_lane(distances, 1));
        if (j + 2 < last) note(queryOut, trainOut, i, j + 2, i32x4.extract_lane(distances, 2));
        if (j + 3 < last) note(queryOut, trainOut, i, j + 3, i32x4.extract_lane(distances, 3));
      }
    }
  }
}

/** Dot products of `a` with four consecutive descriptors from `b` on. */
@inline
function fourProducts(a: usize, b: usize, bytes: usize): v128 {
  const c = b + bytes;
  const d = c + bytes;
  const e = d + bytes;
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  let s3 = i32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) {
    const query = v128.load(a + k);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(query, v128.load(b + k)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(query, v128.load(c + k)));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(query, v128.load(d + k)));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(query, v128.load(e + k)));
  }
  const low = i32x4.add(v128.shuffle<i32>(s0, s1, 0, 4, 1, 5), v128.shuffle<i32>(s0, s1, 2, 6, 3, 7));
  const high = i32x4.add(v128.shuffle<i32>(s2, s3, 0, 4, 1, 5), v128.shuffle<i32>(s2, s3, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i32>(low, high, 0, 1, 4, 5), v128.shuffle<i32>(low, high, 2, 3, 6, 7));
}

/** Bits by which 32 bytes differ from four words. */
@inline
function differentBits(b: usize, w0: u64, w1: u64, w2: u64, w3: u64): i32 {
  const low = popcnt(load<u64>(b) ^ w0) + popcnt(load<u64>(b, 8) ^ w1);
  return <i32>(low + (popcnt(load<u64>(b, 16) ^ w2) + popcnt(load<u64>(b, 24) ^ w3)));
}

/**
 * Hamming distance of binary descriptors of `bytes` bytes: 32 or 64. Counts bits by words: the instruction that processors
 * have for it is faster than the table look-ups that vector counting becomes.
 */
export function nearestHamming(
  queries: usize, queryCount: i32, trains: usize, trainCount: i32, bytes: i32, queryOut: usize, trainOut: usize,
): void {
  clear(queryOut, queryCount, trainOut, trainCount);
  for (let i = 0; i < queryCount; i++) {
    // Compiled twice: a loop over a descriptor's words would cost as much as counting their bits.
    if (bytes === 32) searchBinary(queries, i, 32, trains, trainCount, queryOut, trainOut);
    else searchBinary(queries, i, 64, trains, trainCount, queryOut, trainOut);
  }
}

/** Finds the neighbours of query `i` and makes it the neighbour of the train descriptors it is nearest to so far. */
@inline
function searchBinary(
  queries: usize, i: i32, length: usize, trains: usize, trainCount: i32, queryOut: usize, trainOut: usize,
): void {
  const a = queries + <usize>i * length;
  const w0 = load<u64>(a);
  const w1 = load<u64>(a, 8);
  const w2 = load<u64>(a, 16);
  const w3 = load<u64>(a, 24);
  let best = -1;
  let nearest = NONE;
  let second = NONE;
  let b = trains;
  let reverse = trainOut;
  for (let j = 0; j < trainCount; j++) {
    let distance = differentBits(b, w0, w1, w2, w3);
    if (length === 64) {
      distance += differentBits(b + 32, load<u64>(a, 32), load<u64>(a, 40), load<u64>(a, 48), load<u64>(a, 56));
    }
    // Few are nearer than the second nearest once some are known.
    if (distance < second) {
      if (distance < nearest) {
        second = nearest;
        nearest = distance;
        best = j;
      } else {
        second = distance;
      }
    }
    if (distance < load<i32>(reverse, 4)) {
      store<i32>(reverse, i);
      store<i32>(reverse, distance, 4);
    }
    b += length;
    reverse += 8;
  }
  const entry = queryOut + <usize>i * 12;
  store<i32>(entry, best);
  store<i32>(entry, nearest, 4);
  store<i32>(entry, second, 8);
}

function clear(queryOut: usize, queryCount: i32, trainOut: usize, trainCount: i32): void {
  for (let i = 0; i < queryCount; i++) {
    const entry = queryOut + <usize>i * 12;
    store<i32>(entry, -1);
    store<i32>(entry, NONE, 4);
    store<i32>(entry, NONE, 8);
  }
  for (let j = 0; j < trainCount; j++) {
    const entry = trainOut + (<usize>j << 3);
    store<i32>(entry, -1);
    store<i32>(entry, NONE, 4);
  }
}

/** Takes one distance into account. Pairs of one query, and of one train descriptor, must come by ascending index. */
@inline
function note(queryOut: usize, trainOut: usize, query: i32, train: i32, distance: i32): void {
  const entry = queryOut + <usize>query * 12;
  if (distance < load<i32>(entry, 8)) {
    const nearest = load<i32>(entry, 4);
    if (distance < nearest) {
      store<i32>(entry, nearest, 8);
      store<i32>(entry, distance, 4);
      store<i32>(entry, train);
    } else {
      store<i32>(entry, distance, 8);
    }
  }
  const reverse = trainOut + (<usize>train << 3);
  if (distance < load<i32>(reverse, 4)) {
    store<i32>(reverse, query);
    store<i32>(reverse, distance, 4);
  }
}
