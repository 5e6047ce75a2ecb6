import type { UsageFigures } from './usage.domain.js';

export const presentFigures = (figures: UsageFigures) => ({
  jobs: figures.jobs,
  attempts: figures.attempts,
  frames: figures.frames,
  seconds: figures.wallSeconds,
  cpu_seconds: figures.cpuSeconds,
  gpu_seconds: figures.gpuSeconds,
  energy_wh: figures.energyWh,
  carbon_footprint: figures.carbonGrams,
  credits: figures.credits,
});
