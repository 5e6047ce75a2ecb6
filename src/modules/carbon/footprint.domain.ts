import type { GridIntensity } from '../../platform/grid-intensity.js';
import type { RunUsage } from '../../runners/runner.port.js';
import { energyOf, sumEnergies, sumKnown, type Energy, type EnergyRates } from './energy.domain.js';

export interface FootprintRates extends EnergyRates {
  intensity: GridIntensity;
}

export interface Consumption {
  wallSeconds: number;
  cpuSeconds: number;
  gpuSeconds: number;
}

/** What an attempt, or all attempts of a job, took out of the world. */
export interface Footprint {
  consumption: Consumption;
  energy: Energy;
  /** Grams CO2e. */
  carbonGrams: number;
  /** Grams CO2e that model servers claimed; stands beside our own figure, never in it. Null when none claimed any. */
  reportedGrams: number | null;
}

/** Carbon is energy × intensity of the grid (GHG Protocol Scope 2 Guidance 2015, location-based method). */
export function footprintOf(usage: RunUsage, rates: FootprintRates, device?: 'cpu' | 'gpu'): Footprint {
  const energy = energyOf(usage, rates, device);
  const { wallSeconds, cpuSeconds, gpuSeconds } = usage;
  return {
    consumption: { wallSeconds, cpuSeconds, gpuSeconds },
    energy,
    carbonGrams: (energy.totalWh / 1000) * rates.intensity.gramsPerKwh,
    reportedGrams: usage.reportedCarbonGrams,
  };
}

export function sumFootprints(footprints: readonly Footprint[]): Footprint {
  const sumOf = (amount: (footprint: Footprint) => number) =>
    footprints.reduce((sum, footprint) => sum + amount(footprint), 0);
  return {
    consumption: {
      wallSeconds: sumOf(({ consumption }) => consumption.wallSeconds),
      cpuSeconds: sumOf(({ consumption }) => consumption.cpuSeconds),
      gpuSeconds: sumOf(({ consumption }) => consumption.gpuSeconds),
    },
    energy: sumEnergies(footprints.map(({ energy }) => energy)),
    carbonGrams: sumOf(({ carbonGrams }) => carbonGrams),
    reportedGrams: sumKnown(footprints.map(({ reportedGrams }) => reportedGrams)),
  };
}
