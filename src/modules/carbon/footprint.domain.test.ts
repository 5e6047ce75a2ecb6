import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intensityOf, ownIntensity } from '../../platform/grid-intensity.js';
import type { EnergyReport, RunUsage } from '../../runners/runner.port.js';
import { energyOf, sumEnergies } from './energy.domain.js';
import { footprintOf, sumFootprints } from './footprint.domain.js';

const rates = { wattsPerCore: 10, wattsPerGpu: 300, wattsPerGib: 0.4, intensity: ownIntensity(445) };
const usage: RunUsage = { wallSeconds: 100, cpuSeconds: 360, gpuSeconds: 0, energy: null, reportedCarbonGrams: null };
const meter: EnergyReport = { method: 'measured', cpuWh: null, gpuWh: null, memoryWh: null, source: 'RAPL' };

describe('the energy of a run', () => {
  it('is estimated part by part from what was busy', () => {
    // 360 s × 10 W = 1 Wh; 36 s × 300 W = 3 Wh; 4500 GiB s × 0.4 W/GiB = 0.5 Wh.
    expect(energyOf({ ...usage, gpuSeconds: 36, memoryGibSeconds: 4500 }, rates)).toEqual({
      totalWh: 4.5,
      parts: { cpuWh: 1, gpuWh: 3, memoryWh: 0.5 },
      method: 'estimated',
      source: 'processor time × 10 W per core; GPU time × 300 W per GPU; memory × 0.4 W per GiB',
    });
  });

  it('is what a meter read, also when that is nothing', () => {
    expect(energyOf({ ...usage, energy: { ...meter, cpuWh: 1500, gpuWh: 500 } }, rates)).toEqual({
      totalWh: 2000,
      parts: { cpuWh: 1500, gpuWh: 500, memoryWh: null },
      method: 'measured',
      source: 'RAPL',
    });
    expect(energyOf({ ...usage, energy: { ...meter, cpuWh: 0 } }, rates)).toMatchObject({
      totalWh: 0,
      method: 'measured',
    });
  });

  it('is estimated as a whole when one part of it is, and says which', () => {
    expect(energyOf({ ...usage, memoryGibSeconds: 9000, energy: { ...meter, cpuWh: 2 } }, rates)).toEqual({
      totalWh: 3,
      parts: { cpuWh: 2, gpuWh: null, memoryWh: 1 },
      method: 'estimated',
      source: 'RAPL; memory × 0.4 W per GiB',
    });
    expect(energyOf({ ...usage, energy: { ...meter, method: 'estimated', cpuWh: 2 } }, rates).method).toBe('estimated');
  });

  it('of a runner that tells nothing is that of one busy core, or GPU, for the time it took', () => {
    const silent = { ...usage, cpuSeconds: 0, wallSeconds: 360 };
    expect(energyOf(silent, rates)).toMatchObject({ totalWh: 1, parts: { cpuWh: 1, gpuWh: null } });
    expect(energyOf(silent, rates, 'gpu')).toMatchObject({ totalWh: 30, parts: { cpuWh: null, gpuWh: 30 } });
  });

  it('takes no part from a report that cannot be', () => {
    for (const cpuWh of [-1, NaN, Infinity]) {
      expect(energyOf({ ...usage, energy: { ...meter, cpuWh } }, rates)).toMatchObject({
        totalWh: 1,
        method: 'estimated',
      });
    }
  });
});

describe('footprints', () => {
  it('are energy times the intensity of the grid; what a server claims stands beside', () => {
    const footprint = footprintOf({ ...usage, reportedCarbonGrams: 7 }, rates);
    expect(footprint.carbonGrams).toBeCloseTo(0.445, 12);
    expect(footprint).toMatchObject({ reportedGrams: 7, energy: { totalWh: 1 } });
  });

  it('of no attempts are nothing', () => {
    expect(sumFootprints([])).toEqual({
      consumption: { wallSeconds: 0, cpuSeconds: 0, gpuSeconds: 0 },
      energy: { totalWh: 0, parts: { cpuWh: null, gpuWh: null, memoryWh: null }, method: 'estimated', source: '' },
      carbonGrams: 0,
      reportedGrams: null,
    });
  });

  it('of a job are measured only if those of all its attempts are', () => {
    const measured = energyOf({ ...usage, energy: { ...meter, cpuWh: 1 } }, rates);
    expect(sumEnergies([measured, measured])).toMatchObject({ totalWh: 2, method: 'measured', source: 'RAPL' });
    expect(sumEnergies([measured, energyOf(usage, rates)])).toMatchObject({
      totalWh: 2,
      method: 'estimated',
      source: 'RAPL; processor time × 10 W per core',
    });
  });

  const amount = fc.double({ min: 0, max: 1e6, noNaN: true });
  const part = fc.option(amount);
  const report: fc.Arbitrary<EnergyReport> = fc.record({
    method: fc.constantFrom('measured' as const, 'estimated' as const),
    cpuWh: part,
    gpuWh: part,
    memoryWh: part,
    source: fc.string(),
  });
  const anyUsage: fc.Arbitrary<RunUsage> = fc.record({
    wallSeconds: amount,
    cpuSeconds: amount,
    gpuSeconds: amount,
    memoryGibSeconds: fc.option(amount),
    energy: fc.option(report),
    reportedCarbonGrams: part,
  });

  it('add up: the parts are the whole, and the attempts are the job', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { minLength: 1, maxLength: 5 }), (usages) => {
        const each = usages.map((one) => footprintOf(one, rates));
        const whole = sumFootprints(each);
        for (const { energy } of [...each, whole]) {
          const { cpuWh, gpuWh, memoryWh } = energy.parts;
          expect(energy.totalWh).toBeCloseTo((cpuWh ?? 0) + (gpuWh ?? 0) + (memoryWh ?? 0), 4);
          expect(energy.totalWh).toBeGreaterThanOrEqual(0);
        }
        expect(whole.energy.totalWh).toBeCloseTo(
          each.reduce((sum, { energy }) => sum + energy.totalWh, 0),
          4,
        );
        expect(whole.carbonGrams).toBeCloseTo((whole.energy.totalWh * 445) / 1000, 4);
      }),
    );
  });

  it('are never measured when an estimate counts in them', () => {
    fc.assert(
      fc.property(anyUsage, (one) => {
        const { method } = energyOf(one, rates);
        if (one.energy?.method !== 'measured') expect(method).toBe('estimated');
      }),
    );
  });
});

describe('the intensity of a grid', () => {
  it('is known by either code of a country, in any case, and for the world', () => {
    expect(intensityOf('fr')).toEqual(intensityOf('FRA'));
    expect(intensityOf('FR')).toMatchObject({ gramsPerKwh: 56, region: 'FR', year: 2023 });
    expect(intensityOf('world')).toMatchObject({ gramsPerKwh: 481, region: 'WORLD', year: 2023 });
    expect(intensityOf('XX')).toBeNull();
    expect(ownIntensity(12)).toMatchObject({ gramsPerKwh: 12, region: null, year: null });
  });
});
