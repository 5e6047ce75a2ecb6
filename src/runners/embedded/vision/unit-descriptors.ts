import type { Descriptors } from './features.js';

/** Int16 steps of a component of 1. Squared distances stay below 2^28, well within what the matcher can add up. */
const STEPS = 8192;

/**
 * Descriptors of unit length (KAZE, AKAZE's float kind, SURF) as the matcher takes them. Each component is rounded by at
 * most 2^-14, so distances of 64-dimensional descriptors, which go from 0 to 2, are off by less than 0.001.
 *
 * @param values components in -1..1, one descriptor after another
 * @param length components per descriptor, a multiple of 8
 */
export function unitDescriptors(values: Float32Array, length: number): Descriptors {
  return { metric: 'euclidean', length, values: Int16Array.from(values, (value) => Math.round(value * STEPS)) };
}
