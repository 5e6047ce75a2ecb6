import { expect, it } from 'vitest';
import { createRandom } from './random.js';
import { unitDescriptors } from './unit-descriptors.js';

it('keeps the distances of descriptors of unit length', () => {
  const random = createRandom(3);
  const units = Array.from({ length: 40 }, () => unitVector(random));
  const { values } = unitDescriptors(Float32Array.from(units.flat()), 64);
  for (let i = 0; i < units.length; i++) {
    for (let j = 0; j < i; j++) {
      const exact = Math.hypot(...units[i]!.map((value, k) => value - units[j]![k]!));
      const rounded = Math.hypot(...units[i]!.map((_, k) => values[64 * i + k]! - values[64 * j + k]!));
      expect(Math.abs(rounded / 8192 - exact)).toBeLessThan(0.001);
      expect(rounded ** 2).toBeLessThan(2 ** 30);
    }
  }
});

function unitVector(random: () => number): number[] {
  const vector = Array.from({ length: 64 }, () => random() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
