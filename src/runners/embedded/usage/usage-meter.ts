import type { RunUsage } from '../../runner.port.js';
import { readProcessTree } from './process-tree.js';
import { ProcessorEnergy, type EnergySources } from './processor-energy.js';

const BYTES_PER_GIB = 2 ** 30;

export interface UsageMeter {
  /** Consumption since the meter was started. Memory counts from reading to reading: to be called often. */
  read(): RunUsage;
}

/**
 * Starts to measure this process and its children. One job runs in a process at a time, so the difference is the job's
 * own.
 *
 * @param sources where energy is read, for tests
 */
export function startUsageMeter(sources: EnergySources = {}): UsageMeter {
  const startedAt = performance.now();
  const start = readProcessTree();
  const energy = ProcessorEnergy.open(0, sources);
  let last = { at: startedAt, residentBytes: start.residentBytes };
  let cpuSeconds = 0;
  let memoryGibSeconds = 0;
  return {
    read() {
      const tree = readProcessTree();
      const now = { at: performance.now(), residentBytes: tree.residentBytes };
      cpuSeconds = Math.max(cpuSeconds, tree.cpuSeconds - start.cpuSeconds);
      const meanBytes = (last.residentBytes + now.residentBytes) / 2;
      memoryGibSeconds += ((meanBytes / BYTES_PER_GIB) * (now.at - last.at)) / 1000;
      last = now;
      return {
        wallSeconds: (now.at - startedAt) / 1000,
        cpuSeconds,
        gpuSeconds: 0,
        memoryGibSeconds,
        energy: energy?.read(cpuSeconds) ?? null,
        reportedCarbonGrams: null,
      };
    },
  };
}
