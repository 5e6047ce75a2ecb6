import type { CarbonReport } from '../../contract/carbon.contract.js';
import type { GridIntensity } from '../../platform/grid-intensity.js';
import type { Energy } from './energy.domain.js';
import type { Footprint } from './footprint.domain.js';

/** @param intensity that the grams were reckoned with */
export function carbonReportOf({ energy, reportedGrams }: Footprint, intensity: GridIntensity): CarbonReport {
  return {
    ...energyReportOf(energy),
    intensity: {
      grams_per_kwh: intensity.gramsPerKwh,
      region: intensity.region,
      source: intensity.source,
      year: intensity.year,
    },
    reported_grams: reportedGrams,
  };
}

export function energyReportOf({ totalWh, parts, method, source }: Energy) {
  return {
    energy_wh: totalWh,
    parts: { cpu_wh: parts.cpuWh, gpu_wh: parts.gpuWh, memory_wh: parts.memoryWh },
    method,
    source,
  };
}
