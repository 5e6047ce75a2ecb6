/** x0, y0, x1, y1, … of points of the plane, in whatever unit. */
export type Points = Float64Array;

export function squaredDistance(points: Points, i: number, k: number): number {
  const dx = points[2 * i]! - points[2 * k]!;
  const dy = points[2 * i + 1]! - points[2 * k + 1]!;
  return dx * dx + dy * dy;
}

/** Median of an even or odd number of values; the mean of the two in the middle when even. NaN for none. */
export function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Median of the n x n squared distances between n points, those of points to themselves included; exact. Memory is far
 * below n x n: a first pass finds the narrow range in which the median lies, a second one looks into that range only.
 *
 * @param points at least three
 */
export function medianSquaredDistance(points: Points): number {
  const count = points.length / 2;
  const entries = count * count;
  // In order of size: `count` zeros of the diagonal, then every pair twice.
  const pairRank = (rank: number) => Math.floor((rank - count) / 2);
  const low = pairRank(entries % 2 === 1 ? (entries - 1) / 2 : entries / 2 - 1);
  const high = pairRank(entries % 2 === 1 ? (entries - 1) / 2 : entries / 2);

  const bins = new Uint32Array(BINS);
  eachPair(points, (_, bin) => bins[bin]!++);
  const first = binOfRank(bins, low);
  const last = binOfRank(bins, high);
  const within = new Float64Array(sum(bins.subarray(first, last + 1)));
  let filled = 0;
  eachPair(points, (distance, bin) => {
    if (bin >= first && bin <= last) within[filled++] = distance;
  });
  within.sort();
  const below = sum(bins.subarray(0, first));
  return (within[low - below]! + within[high - below]!) / 2;
}

/** One bin for each upper half of a float32's bits: for positive numbers these grow with the number. */
const BINS = 1 << 16;

function eachPair(points: Points, visit: (squaredDistance: number, bin: number) => void): void {
  const count = points.length / 2;
  const rounded = new Float32Array(1);
  const bits = new Uint32Array(rounded.buffer);
  for (let i = 0; i < count; i++) {
    for (let k = i + 1; k < count; k++) {
      const distance = squaredDistance(points, i, k);
      rounded[0] = distance;
      visit(distance, bits[0]! >>> 16);
    }
  }
}

function binOfRank(bins: Uint32Array, rank: number): number {
  let seen = 0;
  for (let bin = 0; bin < bins.length; bin++) {
    seen += bins[bin]!;
    if (seen > rank) return bin;
  }
  throw new RangeError('There are fewer values than the rank asks for');
}

function sum(values: Uint32Array): number {
  return values.reduce((total, value) => total + value, 0);
}
