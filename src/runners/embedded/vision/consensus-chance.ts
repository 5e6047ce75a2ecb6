/** Agreement that accident would bring about more often than once in 10^4 frames is no agreement. */
export const MAXIMUM_LOG_FALSE_ALARMS = -4;

/** What a geometric model is made from, and how readily it would agree with a pair by accident. */
export interface ModelChance {
  /** Pairs that determine the model; they agree with it by construction. */
  sampleSize: number;
  /** Models that one sample may give. */
  models: number;
  /** Probability that a wrong pair agrees: the share of the frame within the inlier threshold. */
  chance: number;
}

/**
 * Expected number of models that as many pairs would agree with if all pairs were wrong, as a decimal logarithm: the number
 * of false alarms of a-contrario RANSAC (Moisan & Stival, "A probabilistic criterion to detect rigid point matches", IJCV
 * 2004). Far below 0 the agreement is no accident. A fixed least number of inliers cannot tell: six of six are evidence, six
 * of fifty are not.
 *
 * @param inliers pairs that agree, out of `pairs`
 */
export function logFalseAlarms(inliers: number, pairs: number, { sampleSize, models, chance }: ModelChance): number {
  if (inliers <= sampleSize) return Infinity;
  return (
    Math.log10(models * pairs) +
    logBinomial(pairs, inliers) +
    logBinomial(inliers, sampleSize) +
    (inliers - sampleSize) * Math.log10(chance)
  );
}

/**
 * Upper bound, as a decimal logarithm, of how often `hits` or more of `trials` happen by accident, for all possible numbers
 * of hits together.
 *
 * @param chance probability of each
 */
export function logAccidents(hits: number, trials: number, chance: number): number {
  if (hits <= trials * chance) return Infinity;
  return Math.log10(trials) + logBinomial(trials, hits) + hits * Math.log10(chance);
}

/** Wider than any picture, so that different cells have different numbers. */
const CELLS_PER_ROW = 2 ** 20;

/** Decimal logarithm of "n choose k". */
function logBinomial(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= Math.min(k, n - k); i++) sum += Math.log10((n - i + 1) / i);
  return sum;
}

/**
 * Places among the chosen points, as grid cells of `cellSize` pixels. Keypoints found several times at one place, with
 * other directions or sizes, agree with one another whatever they match: together they are evidence once.
 *
 * @param points x0, y0, x1, y1, …
 * @param chosen 1 for the points that count
 */
export function countPlaces(points: Float64Array, chosen: Uint8Array, cellSize: number): number {
  const cells = new Set<number>();
  for (let i = 0; i < chosen.length; i++) {
    if (chosen[i] !== 1) continue;
    cells.add(Math.floor(points[2 * i]! / cellSize) + CELLS_PER_ROW * Math.floor(points[2 * i + 1]! / cellSize));
  }
  return cells.size;
}
