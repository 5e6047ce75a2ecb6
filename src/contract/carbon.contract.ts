import { z } from 'zod';

export const energyMembers = {
  energy_wh: z.number().meta({ description: 'Watt-hours.', example: 0.42 }),
  parts: z
    .object({
      cpu_wh: z.number().nullable(),
      gpu_wh: z.number().nullable(),
      memory_wh: z.number().nullable(),
    })
    .meta({ description: 'Of which; null where none was used or nobody can tell.' }),
  method: z.enum(['measured', 'estimated']).meta({ description: '`measured`: all of it was read from meters.' }),
  source: z.string().meta({
    description: 'The meters and formulas, separated by semicolons.',
    example: 'processor time × 10 W per core; memory × 0.4 W per GiB',
  }),
};

export const intensitySchema = z
  .object({
    grams_per_kwh: z.number().meta({ example: 481 }),
    region: z.string().nullable().meta({
      description: 'ISO 3166-1 alpha-2 code, or `WORLD`; null for a figure of the installation’s own.',
      example: 'WORLD',
    }),
    source: z.string(),
    year: z.int().nullable().meta({ description: 'Of the data.', example: 2023 }),
  })
  .meta({ description: 'What a kilowatt-hour of the grid stands for, in grams CO2e.' });

/** Energy of all attempts of a job, and what it is taken to emit. */
export const carbonReportSchema = z
  .object({
    ...energyMembers,
    intensity: intensitySchema,
    reported_grams: z.number().nullable().meta({
      description: 'Grams CO2e that the model server claims for itself; beside the platform’s own figure, not in it.',
    }),
  })
  .meta({ id: 'CarbonReport', description: 'Energy of all attempts, and how it was told.' });

export type CarbonReport = z.infer<typeof carbonReportSchema>;
