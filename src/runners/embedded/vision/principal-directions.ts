/** Vectors looked at: enough to see where they differ most. */
const SAMPLES = 256;
/** Rounds of the iteration; more would turn the directions a little further, for nothing. */
const ROUNDS = 3;
/** A direction of less than this share of the greatest variance is noise of the arithmetic. */
const NEGLIGIBLE = 1e-12;

/**
 * Orthonormal directions along which vectors differ most, about in descending order: principal components by orthogonal
 * iteration (Golub & Van Loan, Matrix Computations, 8.2.4). Fewer vectors than directions leave directions of zeros.
 *
 * @param values `count` vectors of `length` components, one after another
 * @returns `wanted` directions of `length` components, one after another
 */
export function principalDirections(values: Int16Array, count: number, length: number, wanted: number): Float64Array {
  const samples = centredSamples(values, count, length);
  const covariance = scatterMatrix(samples, length);
  let trace = 0;
  for (let i = 0; i < length; i++) trace += covariance[i * length + i]!;
  const directions = new Float64Array(wanted * length);
  // Any start will do that has something of every direction; the vectors themselves have.
  directions.set(samples.subarray(0, directions.length));
  orthonormalise(directions, length, trace * NEGLIGIBLE);
  for (let round = 0; round < ROUNDS; round++) {
    const turned = new Float64Array(directions.length);
    for (let row = 0; row < turned.length; row += length) {
      for (let i = 0; i < length; i++) {
        const weight = directions[row + i]!;
        if (weight === 0) continue;
        for (let j = 0; j < length; j++) turned[row + j]! += weight * covariance[i * length + j]!;
      }
    }
    directions.set(turned);
    orthonormalise(directions, length, (trace * NEGLIGIBLE) ** 2);
  }
  return directions;
}

/** Evenly chosen vectors, relative to their mean. */
function centredSamples(values: Int16Array, count: number, length: number): Float64Array {
  const chosen = Math.min(count, SAMPLES);
  const samples = new Float64Array(chosen * length);
  const mean = new Float64Array(length);
  for (let s = 0; s < chosen; s++) {
    const from = Math.floor((s * count) / chosen) * length;
    for (let i = 0; i < length; i++) {
      samples[s * length + i] = values[from + i]!;
      mean[i]! += values[from + i]! / chosen;
    }
  }
  for (let i = 0; i < samples.length; i++) samples[i]! -= mean[i % length]!;
  return samples;
}

/** Sum of the outer products of the vectors with themselves. */
function scatterMatrix(samples: Float64Array, length: number): Float64Array {
  const matrix = new Float64Array(length * length);
  for (let start = 0; start < samples.length; start += length) {
    for (let i = 0; i < length; i++) {
      const value = samples[start + i]!;
      for (let j = 0; j <= i; j++) matrix[i * length + j]! += value * samples[start + j]!;
    }
  }
  for (let i = 0; i < length; i++) {
    for (let j = i + 1; j < length; j++) matrix[i * length + j] = matrix[j * length + i]!;
  }
  return matrix;
}

/** Modified Gram-Schmidt, twice over for accuracy; what is left of a vector below `negligible` (squared) becomes zero. */
function orthonormalise(vectors: Float64Array, length: number, negligible: number): void {
  for (let start = 0; start < vectors.length; start += length) {
    const vector = vectors.subarray(start, start + length);
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < start; other += length) {
        const against = vectors.subarray(other, other + length);
        const share = dot(vector, against);
        for (let i = 0; i < length; i++) vector[i]! -= share * against[i]!;
      }
    }
    const square = dot(vector, vector);
    const factor = square > negligible ? 1 / Math.sqrt(square) : 0;
    for (let i = 0; i < length; i++) vector[i]! *= factor;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
