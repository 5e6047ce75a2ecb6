export interface Axis {
  min: number;
  max: number;
  /** Round values within [min, max], ascending. */
  ticks: number[];
  /** Decimals that tell neighbouring ticks apart. */
  decimals: number;
}

/**
 * An axis with round ticks (1, 2 or 5 times a power of ten apart) that starts and ends on a tick.
 *
 * @param tickCount about how many steps to make
 */
export function outwardAxis(low: number, high: number, tickCount: number): Axis {
  const step = roundStep(high - low, tickCount);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return axisBetween(first * step, last * step, first, last, step);
}

/** An axis that spans exactly [low, high], with whole-number ticks inside. */
export function inwardIntegerAxis(low: number, high: number, tickCount: number): Axis {
  const step = Math.max(1, roundStep(high - low, tickCount));
  return axisBetween(low, high, Math.ceil(low / step), Math.floor(high / step), step);
}

function axisBetween(min: number, max: number, first: number, last: number, step: number): Axis {
  const ticks = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { min, max, ticks, decimals };
}

function roundStep(span: number, tickCount: number): number {
  if (!(span > 0)) return 1;
  const raw = span / tickCount;
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= raw * 0.999) ?? 10;
  return factor * power;
}
