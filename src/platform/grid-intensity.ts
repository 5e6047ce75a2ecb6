import { COUNTRY_INTENSITIES, INTENSITY_SOURCE, WORLD_INTENSITY } from './carbon-intensities.js';

/** What a kilowatt-hour stands for, and who says so. */
export interface GridIntensity {
  gramsPerKwh: number;
  /** ISO 3166-1 alpha-2 code, or `WORLD`; null for a figure of somebody's own. */
  region: string | null;
  source: string;
  /** Of the data; null for a figure of somebody's own. */
  year: number | null;
}

export const WORLD = 'WORLD';

/**
 * Yearly average of a grid.
 * @param region ISO 3166-1 alpha-2 or alpha-3 code, or `WORLD`, in any case
 * @returns null for a region without data
 */
export function intensityOf(region: string): GridIntensity | null {
  const code = region.toUpperCase();
  if (code === WORLD) return { ...WORLD_INTENSITY, region: WORLD, source: INTENSITY_SOURCE };
  const row = COUNTRY_INTENSITIES.find(([alpha2, alpha3]) => alpha2 === code || alpha3 === code);
  if (row === undefined) return null;
  const [alpha2, , , gramsPerKwh, year] = row;
  return { gramsPerKwh, region: alpha2, source: INTENSITY_SOURCE, year };
}

/** A figure that the installation was given, e.g. by its supplier of electricity. */
export const ownIntensity = (gramsPerKwh: number): GridIntensity => ({
  gramsPerKwh,
  region: null,
  source: 'CARBON_INTENSITY of this installation',
  year: null,
});
