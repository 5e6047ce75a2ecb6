/** Tukey's biweight at this many standard deviations is 95 % efficient on Gaussian noise. */
const TUKEY_SIGMAS = 4.685;
/** Keypoints are never located better than this, in pixels; keeps exact data from rejecting itself. */
const SMALLEST_SIGMA = 0.05;

/** Median length of a Gaussian error in units of one coordinate's standard deviation, by the number of coordinates. */
const MEDIAN_LENGTH = { 1: 0.6745, 2: 1.1774 } as const;

/**
 * Standard deviation of one coordinate, in pixels, by the median of error lengths; no smaller than keypoints allow.
 *
 * @param errors lengths in pixels; only the first `count` are read, and they come back in another order
 * @param coordinates 1 for distances from a line, 2 for distances from a point
 */
export function robustSigma(errors: Float64Array, count: number, coordinates: 1 | 2): number {
  if (count === 0) return SMALLEST_SIGMA;
  return Math.max(smallest(errors, count, count >> 1) / MEDIAN_LENGTH[coordinates], SMALLEST_SIGMA);
}

/** The value that would stand at an index were the first `count` sorted (Hoare, "Algorithm 65: find", 1961). */
function smallest(values: Float64Array, count: number, index: number): number {
  let left = 0;
  let right = count - 1;
  while (left < right) {
    const pivot = values[(left + right) >> 1]!;
    let low = left;
    let high = right;
    while (low <= high) {
      while (values[low]! < pivot) low++;
      while (values[high]! > pivot) high--;
      if (low > high) break;
      const value = values[low]!;
      values[low++] = values[high]!;
      values[high--] = value;
    }
    if (index <= high) right = high;
    else if (index >= low) left = low;
    else break;
  }
  return values[index]!;
}

/** Tukey's biweight of an error whose square is given: 1 for none, 0 from 4.685 standard deviations on. */
export function tukeyWeight(squaredError: number, sigma: number): number {
  const share = squaredError / (TUKEY_SIGMAS * sigma) ** 2;
  return share < 1 ? (1 - share) ** 2 : 0;
}

/**
 * What least squares weighed by `tukeyWeight` maximises: as much as 1 for each error, the nearer to none the more.
 *
 * @param squaredErrors each as for `tukeyWeight`
 */
export function totalTukeyTrust(squaredErrors: Float64Array, sigma: number): number {
  const perSquare = 1 / (TUKEY_SIGMAS * sigma) ** 2;
  let trust = 0;
  for (const error of squaredErrors) {
    const rest = 1 - error * perSquare;
    if (rest > 0) trust += rest * rest * rest;
  }
  return trust;
}
