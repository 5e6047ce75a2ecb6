import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where Linux shows the energy counters of processors: RAPL of Intel, and of AMD under the same names. */
const POWERCAP = '/sys/class/powercap';

export interface EnergyReading {
  /** Joules since the meter was opened, of all processor packages of the machine. */
  packageJoules: number;
  /** Likewise of their memory; null where the counters leave it out. */
  memoryJoules: number | null;
}

export interface PackageEnergyMeter {
  /** The counters, e.g. `RAPL package-0, package-1`. */
  readonly source: string;
  /** To be called more often than a counter runs over, which takes minutes. @returns null once a counter is lost */
  read(): EnergyReading | null;
}

/**
 * Opens the energy counters of this machine's processors (`intel-rapl` of the kernel's powercap interface, see
 * Documentation/power/powercap/powercap.rst in the kernel's sources).
 *
 * @param powercap folder of the counters, for tests
 * @returns null where there are none or they may not be read, as on most machines for anybody but root
 */
export function openPackageEnergyMeter(powercap = POWERCAP): PackageEnergyMeter | null {
  try {
    const counters = foldersIn(powercap).map((folder) => new Counter(path.join(powercap, folder)));
    const packages = counters.filter(({ isPackage }) => isPackage);
    const memories = counters.filter(({ name }) => name === 'dram');
    if (packages.length === 0) return null;
    return toMeter(packages, memories);
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

function toMeter(packages: readonly Counter[], memories: readonly Counter[]): PackageEnergyMeter {
  const names = [...packages, ...memories].map(({ name }) => name);
  return {
    source: `RAPL ${[...new Set(names)].join(', ')}`,
    read() {
      try {
        return {
          packageJoules: sum(packages),
          memoryJoules: memories.length === 0 ? null : sum(memories),
        };
      } catch (error) {
        if (isUnreadable(error)) return null;
        throw error;
      }
    },
  };
}

const sum = (counters: readonly Counter[]): number =>
  counters.reduce((total, counter) => total + counter.readJoules(), 0);

/** Zones and their parts; `intel-rapl-mmio` shows the same packages once more. */
const foldersIn = (powercap: string): string[] =>
  readdirSync(powercap).filter((folder) => /^intel-rapl:\d+(:\d+)?$/.test(folder));

class Counter {
  readonly name: string;
  /** A package holds its cores; `psys` holds the packages. Each joule is to count once. */
  readonly isPackage: boolean;
  private readonly range: number;
  private last: number;
  private microjoules = 0;

  constructor(private readonly folder: string) {
    this.name = this.text('name');
    this.isPackage = this.name.startsWith('package');
    this.range = this.number('max_energy_range_uj');
    this.last = this.number('energy_uj');
  }

  readJoules(): number {
    const now = this.number('energy_uj');
    // It starts again at zero behind its range.
    this.microjoules += now >= this.last ? now - this.last : now + this.range - this.last;
    this.last = now;
    return this.microjoules / 1e6;
  }

  private number(file: string): number {
    const value = Number(this.text(file));
    if (!Number.isFinite(value)) throw new UnreadableCounterError(`${this.folder}/${file} is not a number.`);
    return value;
  }

  private text(file: string): string {
    return readFileSync(path.join(this.folder, file), 'utf8').trim();
  }
}

class UnreadableCounterError extends Error {
  override readonly name = 'UnreadableCounterError';
  readonly code = 'EIO';
}

/** Not there, for root only, or gone under the hands of who reads it. */
function isUnreadable(error: unknown): boolean {
  const codes = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ENODATA', 'ENODEV', 'EIO'];
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
