/** Weights of a Gaussian at 0..radius, normalised so that those of -radius..radius add up to 1. */
export function gaussianWeights(sigma: number, radius: number): number[] {
  const weights = Array.from({ length: radius + 1 }, (_, i) => Math.exp((-i * i) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, weight, i) => sum + (i === 0 ? weight : 2 * weight), 0);
  return weights.map((weight) => weight / total);
}
