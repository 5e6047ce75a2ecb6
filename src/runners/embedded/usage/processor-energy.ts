import { readFileSync } from 'node:fs';

import type { EnergyReport } from '../../runner.port.js';
import { openPackageEnergyMeter, type EnergyReading, type PackageEnergyMeter } from './package-energy.js';
import { TICKS_PER_SECOND } from './process-tree.js';

const JOULES_PER_WATT_HOUR = 3600;

export interface EnergySources {
  /** Folder of the energy counters. */
  powercap?: string;
  /** File of the processor times of the whole machine. */
  machineStat?: string;
}

interface Sample {
  energy: EnergyReading;
  busySeconds: number;
  jobSeconds: number;
}

/**
 * Energy of one job out of counters that know the machine only: of the energy of each span between two readings the job
 * gets the share that it has of all processor time of that span. What an idle machine draws falls to those who use it.
 */
export class ProcessorEnergy {
  private cpuJoules = 0;
  private memoryJoules = 0;

  private constructor(
    private readonly meter: PackageEnergyMeter,
    private readonly machineStat: string,
    private last: Sample,
  ) {}

  /** @returns null where no energy can be read */
  static open(jobSeconds: number, sources: EnergySources = {}): ProcessorEnergy | null {
    const { powercap, machineStat = '/proc/stat' } = sources;
    const meter = openPackageEnergyMeter(powercap);
    if (meter === null) return null;
    const first = sampleOf(meter, machineStat, jobSeconds);
    return first === null ? null : new ProcessorEnergy(meter, machineStat, first);
  }

  /**
   * @param jobSeconds processor time of the job so far
   * @returns null when the counters can no longer be read
   */
  read(jobSeconds: number): EnergyReport | null {
    const now = sampleOf(this.meter, this.machineStat, jobSeconds);
    if (now === null) return null;
    const busy = now.busySeconds - this.last.busySeconds;
    // A span that is shorter than a tick of the clock waits for the next reading.
    if (busy > 0) {
      const share = Math.min(1, Math.max(0, (now.jobSeconds - this.last.jobSeconds) / busy));
      const { packageJoules, memoryJoules } = this.last.energy;
      this.cpuJoules += share * (now.energy.packageJoules - packageJoules);
      this.memoryJoules += share * ((now.energy.memoryJoules ?? 0) - (memoryJoules ?? 0));
      this.last = now;
    }
    return {
      method: 'measured',
      cpuWh: this.cpuJoules / JOULES_PER_WATT_HOUR,
      gpuWh: null,
      memoryWh: now.energy.memoryJoules === null ? null : this.memoryJoules / JOULES_PER_WATT_HOUR,
      source: `${this.meter.source}, by the share of processor time`,
    };
  }
}

function sampleOf(meter: PackageEnergyMeter, machineStat: string, jobSeconds: number): Sample | null {
  const energy = meter.read();
  return energy === null ? null : { energy, busySeconds: busySecondsOf(machineStat), jobSeconds };
}

/** Of all processors: the first line of `/proc/stat`, without the fields `idle` and `iowait` (proc(5)). */
function busySecondsOf(machineStat: string): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync(machineStat, 'utf8').split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
