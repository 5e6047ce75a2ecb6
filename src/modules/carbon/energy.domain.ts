import type { EnergyMethod, EnergyReport, RunUsage } from '../../runners/runner.port.js';

/** Electric power of what is busy; estimates count with it. */
export interface EnergyRates {
  wattsPerCore: number;
  wattsPerGpu: number;
  wattsPerGib: number;
}

/** Watt-hours; a part that nobody can tell is null, and counts as nothing. */
export interface EnergyParts {
  cpuWh: number | null;
  gpuWh: number | null;
  memoryWh: number | null;
}

export interface Energy {
  totalWh: number;
  parts: EnergyParts;
  /** `measured`: all of it was read from meters. */
  method: EnergyMethod;
  /** Where each part comes from, in words. */
  source: string;
}

interface Part {
  wattHours: number;
  method: EnergyMethod;
  source: string;
}

const SECONDS_PER_HOUR = 3600;

/**
 * Energy of a run, part by part: what its runner reports, else an estimate from what was busy (time × power, as in
 * Lannelongue, Grealey, Inouye: Green Algorithms, Advanced Science 2021). A runner that tells nothing at all of its
 * consumption counts as if one core, or one GPU, had been busy as long as the run took.
 *
 * @param device where the run took place; decides what is assumed of a runner that tells nothing
 */
export function energyOf(usage: RunUsage, rates: EnergyRates, device: 'cpu' | 'gpu' = 'cpu'): Energy {
  const {
    energy: report,
    cpuSeconds,
    gpuSeconds,
    memoryGibSeconds,
  } = isSilent(usage) ? assumedOf(usage, device) : usage;
  const cpu = reported(report, 'cpuWh') ?? estimated(cpuSeconds, rates.wattsPerCore, 'processor time', 'core');
  const gpu = reported(report, 'gpuWh') ?? estimated(gpuSeconds, rates.wattsPerGpu, 'GPU time', 'GPU');
  const memory = reported(report, 'memoryWh') ?? estimated(memoryGibSeconds ?? 0, rates.wattsPerGib, 'memory', 'GiB');
  return {
    ...totalOf([cpu, gpu, memory].filter((part) => part !== null)),
    parts: {
      cpuWh: cpu?.wattHours ?? null,
      gpuWh: gpu?.wattHours ?? null,
      memoryWh: memory?.wattHours ?? null,
    },
  };
}

/** Of several runs together. */
export function sumEnergies(energies: readonly Energy[]): Energy {
  return {
    ...totalOf(energies.map(({ totalWh, method, source }) => ({ wattHours: totalWh, method, source }))),
    parts: {
      cpuWh: sumKnown(energies.map(({ parts }) => parts.cpuWh)),
      gpuWh: sumKnown(energies.map(({ parts }) => parts.gpuWh)),
      memoryWh: sumKnown(energies.map(({ parts }) => parts.memoryWh)),
    },
  };
}

/** @returns null when none is known */
export function sumKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

function totalOf(parts: readonly Part[]): Omit<Energy, 'parts'> {
  const counting = parts.filter(({ wattHours }) => wattHours > 0);
  const isMeasured = counting.length > 0 && counting.every(({ method }) => method === 'measured');
  return {
    totalWh: parts.reduce((sum, { wattHours }) => sum + wattHours, 0),
    method: isMeasured || isMeasuredNothing(parts) ? 'measured' : 'estimated',
    source: [...new Set(parts.flatMap(({ source }) => source.split('; ')))].join('; '),
  };
}

/** A meter that did not move has measured, too. */
const isMeasuredNothing = (parts: readonly Part[]): boolean =>
  parts.length > 0 && parts.every(({ wattHours, method }) => wattHours === 0 && method === 'measured');

function reported(report: EnergyReport | null, part: keyof EnergyParts): Part | null {
  const wattHours = report?.[part] ?? null;
  if (report === null || wattHours === null || !isAmount(wattHours)) return null;
  // Semicolons separate sources.
  return { wattHours, method: report.method, source: report.source.replaceAll(';', ',') };
}

function estimated(amount: number, watts: number, what: string, unit: string): Part | null {
  if (!isAmount(amount) || amount === 0) return null;
  return {
    wattHours: (amount * watts) / SECONDS_PER_HOUR,
    method: 'estimated',
    source: `${what} × ${watts} W per ${unit}`,
  };
}

const isAmount = (value: number): boolean => Number.isFinite(value) && value >= 0;

const isSilent = ({ energy, cpuSeconds, gpuSeconds }: RunUsage): boolean =>
  energy === null && cpuSeconds === 0 && gpuSeconds === 0;

const assumedOf = (usage: RunUsage, device: 'cpu' | 'gpu'): RunUsage => ({
  ...usage,
  ...(device === 'gpu' ? { gpuSeconds: usage.wallSeconds } : { cpuSeconds: usage.wallSeconds }),
});
