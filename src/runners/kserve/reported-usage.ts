import { z } from 'zod';

import type { EnergyReport, ModelIdentity, RunResult, RunUsage } from '../runner.port.js';
import type { InferenceParameters } from './inference.client.js';

/**
 * What a model may say of its own work, as parameters of each answer. Seconds and watt-hours are those of the request;
 * a value that is none is passed over, for nothing of the result depends on it.
 */
const seconds = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER).optional().catch(undefined);
const wattHours = seconds;
const reportSchema = z.object({
  device: z.string().max(40).optional().catch(undefined),
  model_digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional()
    .catch(undefined),
  cpu_seconds: seconds,
  gpu_seconds: seconds,
  cpu_wh: wattHours,
  gpu_wh: wattHours,
  memory_wh: wattHours,
  energy_method: z.enum(['measured', 'estimated']).optional().catch(undefined),
  energy_source: z.string().max(200).optional().catch(undefined),
});
type Report = z.infer<typeof reportSchema>;

/** Adds up what a server says of its requests of one job. */
export class ReportedUsage {
  private readonly startedAt = performance.now();
  private cpuSeconds = 0;
  private gpuSeconds = 0;
  private energy: EnergyReport | null = null;
  private last: Report = {};

  add(parameters: InferenceParameters): void {
    const report = reportSchema.parse(parameters);
    this.last = report;
    this.cpuSeconds += report.cpu_seconds ?? 0;
    this.gpuSeconds += report.gpu_seconds ?? 0;
    this.addEnergy(report);
  }

  read(): RunUsage {
    return {
      wallSeconds: (performance.now() - this.startedAt) / 1000,
      cpuSeconds: this.cpuSeconds,
      gpuSeconds: this.gpuSeconds,
      energy: this.energy,
      reportedCarbonGrams: null,
    };
  }

  /** Null where the server does not say. */
  get device(): RunResult['device'] | null {
    const { device } = this.last;
    if (device === undefined) return null;
    return /^(gpu|cuda)/i.test(device) ? 'gpu' : 'cpu';
  }

  /** The weights behind the answers; null where the server does not say, or there are none. */
  model(name: string): ModelIdentity | null {
    const { model_digest: digest } = this.last;
    return digest === undefined ? null : { name, digest };
  }

  private addEnergy({ cpu_wh: cpu, gpu_wh: gpu, memory_wh: memory, ...report }: Report): void {
    if (cpu === undefined && gpu === undefined && memory === undefined) return;
    const sum = this.energy;
    const method = report.energy_method ?? 'estimated';
    this.energy = {
      // A sum with one estimate in it is an estimate.
      method: sum?.method === 'estimated' ? 'estimated' : method,
      cpuWh: added(sum?.cpuWh, cpu),
      gpuWh: added(sum?.gpuWh, gpu),
      memoryWh: added(sum?.memoryWh, memory),
      source: report.energy_source ?? 'the model server',
    };
  }
}

function added(sum: number | null | undefined, part: number | undefined): number | null {
  return part === undefined ? (sum ?? null) : (sum ?? 0) + part;
}
