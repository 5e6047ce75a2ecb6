/** A diagonal entry that elimination shrinks below this share of its start is taken for zero. */
const SINGULAR_SHARE = 1e-11;

/**
 * Accumulates a weighted linear least-squares problem as normal equations and solves it. Meant for a handful of unknowns
 * and equations whose unknowns are of similar size (normalised coordinates), where forming A'A loses nothing that matters.
 */
export class NormalEquations {
  private readonly matrix: Float64Array;
  private readonly right: Float64Array;

  constructor(private readonly unknowns: number) {
    this.matrix = new Float64Array(unknowns * unknowns);
    this.right = new Float64Array(unknowns);
  }

  /** Forgets what was added, so that one object serves many problems. */
  clear(): void {
    this.matrix.fill(0);
    this.right.fill(0);
  }

  /** Adds the equation row . x = value. `row` may be reused by the caller. */
  add(row: Float64Array, value: number, weight: number): void {
    const n = this.unknowns;
    for (let i = 0; i < n; i++) {
      const weighted = weight * row[i]!;
      if (weighted === 0) continue;
      this.right[i]! += weighted * value;
      for (let j = i; j < n; j++) this.matrix[i * n + j]! += weighted * row[j]!;
    }
  }

  /** The least-squares solution; null when the equations do not determine it. */
  solve(): Float64Array | null {
    return solvePositiveDefinite(this.matrix, this.right);
  }
}

/**
 * Solves matrix . x = right by a Cholesky factorisation of the matrix scaled to a unit diagonal.
 *
 * @param matrix row-major, symmetric; only the upper triangle is read
 * @returns null when the matrix is singular or not positive definite
 */
export function solvePositiveDefinite(matrix: Float64Array, right: Float64Array): Float64Array | null {
  const n = right.length;
  const scale = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    scale[i] = 1 / Math.sqrt(matrix[i * n + i]!);
    if (!Number.isFinite(scale[i])) return null;
  }
  const factor = cholesky(matrix, scale);
  if (factor === null) return null;
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = right[i]! * scale[i]!;
    for (let k = 0; k < i; k++) sum -= factor[i * n + k]! * x[k]!;
    x[i] = sum / factor[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= factor[k * n + i]! * x[k]!;
    x[i]! /= factor[i * n + i]!;
  }
  for (let i = 0; i < n; i++) {
    x[i]! *= scale[i]!;
    if (!Number.isFinite(x[i])) return null;
  }
  return x;
}

function cholesky(matrix: Float64Array, scale: Float64Array): Float64Array | null {
  const n = scale.length;
  const factor = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = matrix[j * n + i]! * scale[i]! * scale[j]!;
      for (let k = 0; k < j; k++) sum -= factor[i * n + k]! * factor[j * n + k]!;
      if (i === j && !(sum > SINGULAR_SHARE)) return null;
      factor[i * n + j] = i === j ? Math.sqrt(sum) : sum / factor[j * n + j]!;
    }
  }
  return factor;
}
