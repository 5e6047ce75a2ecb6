/**
 * Exact nearest-neighbour search in both directions in AssemblyScript SIMD.
 *
 * Results, int32: for each query the index of the nearest train descriptor (-1 when there is none), its distance and the
 * distance of the second nearest (2^30 when there is none); for each train descriptor the index of the nearest query and
 * its distance. Among equals the lowest index wins.
 */
import { NONE } from './euclidean.part.as';
import * as euclidean from './euclidean.part.as';

export { interleave, sketch, squaredNorms } from './euclidean.part.as';

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

/** See `nearestEuclidean` there. */
export function nearestEuclidean(
  queries: euclidean.Placed, trains: euclidean.Placed, length: i32, size: i32, scale: f64, slack: f64, reach: f64,
  queryOut: usize, trainOut: usize,
): void {
  clear(queryOut, queries.count, trainOut, trains.count);
  euclidean.nearestEuclidean(queries, trains, length, size, scale, slack, reach, queryOut, trainOut);
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
