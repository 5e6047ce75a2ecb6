/** Evenly spread positions of `wanted` out of `count` rows, the first and the last among them. */
export function spreadRows(count: number, wanted: number): number[] {
  const shown = Math.min(count, wanted);
  if (shown <= 1) return count === 0 ? [] : [0];
  return Array.from({ length: shown }, (_, k) => Math.round((k * (count - 1)) / (shown - 1)));
}
