import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPackageEnergyMeter } from './package-energy.js';
import { readProcessTree } from './process-tree.js';
import { ProcessorEnergy } from './processor-energy.js';
import { startUsageMeter } from './usage-meter.js';

const RANGE = 1_000_000_000;
/** Ticks of `/proc/stat` are a hundredth of a second. */
const statWithBusy = (seconds: number) => `cpu  ${seconds * 100} 0 0 999999 77 0 0 0 0 0\ncpu0 1 2 3\n`;

describe('the energy of processors', () => {
  let folder: string;
  let powercap: string;
  let machineStat: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'powercap-'));
    powercap = join(folder, 'powercap');
    machineStat = join(folder, 'stat');
    await mkdir(powercap);
    await writeFile(machineStat, statWithBusy(100));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function counter(zone: string, name: string, joules: number): Promise<void> {
    await mkdir(join(powercap, zone), { recursive: true });
    await writeFile(join(powercap, zone, 'name'), `${name}\n`);
    await writeFile(join(powercap, zone, 'max_energy_range_uj'), `${RANGE}\n`);
    await writeFile(join(powercap, zone, 'energy_uj'), `${Math.round(joules * 1e6)}\n`);
  }
  const open = () => ProcessorEnergy.open(0, { powercap, machineStat });

  it('is that of all packages and their memory, each joule once', async () => {
    const zones: [string, string][] = [
      ['intel-rapl:0', 'package-0'],
      ['intel-rapl:0:0', 'core'],
      ['intel-rapl:0:1', 'dram'],
      ['intel-rapl:1', 'package-1'],
      ['intel-rapl:2', 'psys'],
      ['intel-rapl-mmio:0', 'package-0'],
    ];
    for (const [zone, name] of zones) await counter(zone, name, 10);
    const meter = openPackageEnergyMeter(powercap);
    for (const [zone, name] of zones) await counter(zone, name, 13);
    expect(meter?.read()).toEqual({ packageJoules: 6, memoryJoules: 3 });
    expect(meter?.source).toBe('RAPL package-0, package-1, dram');
  });

  it('goes on when a counter starts again at zero', async () => {
    await counter('intel-rapl:0', 'package-0', 999);
    const meter = openPackageEnergyMeter(powercap);
    await counter('intel-rapl:0', 'package-0', 4);
    expect(meter?.read()?.packageJoules).toBeCloseTo(5, 6);
    await counter('intel-rapl:0', 'package-0', 6);
    expect(meter?.read()).toEqual({ packageJoules: 7, memoryJoules: null });
  });

  it('falls to a job by its share of the processor time of each span', async () => {
    await counter('intel-rapl:0', 'package-0', 0);
    await counter('intel-rapl:0:1', 'dram', 0);
    const energy = open();
    // Ten busy seconds, five of them the job's: half of 72 J.
    await counter('intel-rapl:0', 'package-0', 72);
    await counter('intel-rapl:0:1', 'dram', 36);
    await writeFile(machineStat, statWithBusy(110));
    expect(energy?.read(5)).toMatchObject({ method: 'measured', cpuWh: 36 / 3600, gpuWh: null, memoryWh: 18 / 3600 });
    // Ten more seconds of others only.
    await counter('intel-rapl:0', 'package-0', 172);
    await writeFile(machineStat, statWithBusy(120));
    expect(energy?.read(5)).toMatchObject({ cpuWh: 36 / 3600 });
    // The clock of the job runs finer than that of the machine: more than everything is everything.
    await counter('intel-rapl:0', 'package-0', 208);
    await writeFile(machineStat, statWithBusy(121));
    expect(energy?.read(6.01)).toMatchObject({ cpuWh: 72 / 3600 });
  });

  it('of a span shorter than a tick counts with the next', async () => {
    await counter('intel-rapl:0', 'package-0', 0);
    const energy = open();
    await counter('intel-rapl:0', 'package-0', 10);
    expect(energy?.read(1)).toMatchObject({ cpuWh: 0 });
    await writeFile(machineStat, statWithBusy(102));
    expect(energy?.read(1)).toMatchObject({ cpuWh: 5 / 3600 });
  });

  it('is not told where there are no counters, or none that may be read', async () => {
    expect(open()).toBeNull();
    expect(ProcessorEnergy.open(0, { powercap: join(folder, 'missing') })).toBeNull();
    await counter('intel-rapl:0', 'psys', 1);
    expect(open()).toBeNull();
    await counter('intel-rapl:1', 'package-0', 1);
    await rm(join(powercap, 'intel-rapl:1', 'energy_uj'));
    expect(open()).toBeNull();
    await counter('intel-rapl:1', 'package-0', 1);
    await writeFile(join(powercap, 'intel-rapl:1', 'energy_uj'), 'nonsense');
    expect(open()).toBeNull();
  });

  it.skipIf(process.getuid?.() === 0)('is not told where only root may read it', async () => {
    await counter('intel-rapl:0', 'package-0', 1);
    await chmod(join(powercap, 'intel-rapl:0', 'energy_uj'), 0);
    expect(open()).toBeNull();
  });

  it('is not told any more once a counter is lost', async () => {
    await counter('intel-rapl:0', 'package-0', 1);
    const meter = startUsageMeter({ powercap, machineStat });
    expect(meter.read().energy?.method).toBe('measured');
    await rm(join(powercap, 'intel-rapl:0'), { recursive: true });
    expect(meter.read()).toMatchObject({ energy: null });
  });
});

describe('the meter of a job', () => {
  it('counts time and memory on, and never back', () => {
    const meter = startUsageMeter({ powercap: '/nowhere' });
    let before = meter.read();
    for (let reading = 0; reading < 20; reading++) {
      for (let spin = 0; spin < 100_000; spin++) Math.sqrt(spin);
      const now = meter.read();
      expect(now.wallSeconds).toBeGreaterThanOrEqual(before.wallSeconds);
      expect(now.cpuSeconds).toBeGreaterThanOrEqual(before.cpuSeconds);
      expect(now.memoryGibSeconds ?? 0).toBeGreaterThanOrEqual(before.memoryGibSeconds ?? 0);
      before = now;
    }
    const meanGib = (before.memoryGibSeconds ?? 0) / before.wallSeconds;
    expect(meanGib).toBeGreaterThan(0.001);
    expect(meanGib).toBeLessThan(100);
    expect(before).toMatchObject({ gpuSeconds: 0, energy: null, reportedCarbonGrams: null });
  });

  it.runIf(process.platform === 'linux')('counts a child while it works and when it has ended', async () => {
    const start = readProcessTree();
    const child = spawn(process.execPath, [
      '-e',
      'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end); console.log("busy"); setInterval(() => {}, 1000);',
    ]);
    try {
      await once(child.stdout, 'data');
      const alive = readProcessTree();
      expect(alive.cpuSeconds - start.cpuSeconds).toBeGreaterThan(0.25);
      expect(alive.residentBytes).toBeGreaterThan(process.memoryUsage.rss() * 0.5 + 10 * 2 ** 20);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
    expect(readProcessTree().cpuSeconds - start.cpuSeconds).toBeGreaterThan(0.25);
  });
});
