import { describe, expect, it } from 'vitest';
import { COUNTRY_INTENSITIES } from './carbon-intensities.js';

describe('the table of grids', () => {
  it('names each country once, with a plausible figure of these years', () => {
    for (const code of [0, 1, 2] as const) {
      expect(new Set(COUNTRY_INTENSITIES.map((row) => row[code])).size).toBe(COUNTRY_INTENSITIES.length);
    }
    for (const [alpha2, alpha3, , gramsPerKwh, year] of COUNTRY_INTENSITIES) {
      expect(alpha2).toMatch(/^[A-Z]{2}$/);
      expect(alpha3).toMatch(/^[A-Z]{3}$/);
      expect(gramsPerKwh, alpha3).toBeGreaterThan(5);
      expect(gramsPerKwh, alpha3).toBeLessThan(1400);
      expect([2021, 2022, 2023]).toContain(year);
    }
  });
});
