import { z } from 'zod';
import { emailSchema } from './account.contract.js';
import { defineRoute, idSchema, nextCursorSchema, pageQuery } from './route.contract.js';

const daySchema = z.iso
  .date('Use a day, for example 2026-07-15.')
  // ISO 8601 has a year 0, the calendar of PostgreSQL has none.
  .refine((day) => !day.startsWith('0000'), 'Use a day, for example 2026-07-15.')
  .meta({ example: '2026-07-15' });

const rangeQuery = {
  from: daySchema.optional().meta({ description: 'First day, UTC. Default: 29 days before the last.' }),
  to: daySchema.optional().meta({ description: 'Last day, UTC, inclusive. Default: today.' }),
};

const figures = {
  jobs: z.int().meta({ description: 'Completed.' }),
  attempts: z.int().meta({ description: 'Ended, with or without a result.' }),
  frames: z.int().meta({ description: 'Rows of the results of completed jobs.' }),
  seconds: z.number().meta({ description: 'That runners were at work, by the clock.' }),
  cpu_seconds: z.number(),
  gpu_seconds: z.number(),
  energy_wh: z.number().meta({ description: 'Watt-hours, of attempts without a result too.' }),
  carbon_footprint: z.number().meta({ description: 'Grams CO2e.' }),
  credits: z.int().meta({ description: 'Taken for completed jobs; refunds of later are in the ledger.' }),
};

const rangeMembers = {
  from: daySchema,
  to: daySchema,
  time_zone: z.literal('UTC'),
};

export const getUsageRoute = defineRoute({
  operationId: 'getUsage',
  method: 'get',
  path: '/usage',
  access: 'user',
  tag: 'Usage',
  summary: 'Tell what the jobs of the caller have consumed, day by day',
  description: 'Newest day first; days without an ended attempt are left out. An attempt counts on the day of its end.',
  request: { query: z.strictObject({ ...rangeQuery, ...pageQuery }) },
  success: {
    status: 200,
    answer: {
      description: 'The sum of all days, and a page of days.',
      schema: z.object({
        ...rangeMembers,
        total: z.object(figures).meta({ description: 'Of all days from `from` to `to`.' }),
        days: z.array(z.object({ day: daySchema, ...figures })),
        nextCursor: nextCursorSchema,
      }),
    },
  },
  problems: [],
});

export const listUsageRoute = defineRoute({
  operationId: 'listUsage',
  method: 'get',
  path: '/admin/usage',
  access: 'admin',
  tag: 'Administration',
  summary: 'Tell what the jobs of each user have consumed',
  description: 'One entry per user with an ended attempt in these days, in the order of their ids.',
  request: { query: z.strictObject({ ...rangeQuery, ...pageQuery }) },
  success: {
    status: 200,
    answer: {
      description: 'A page of users.',
      schema: z.object({
        ...rangeMembers,
        users: z.array(z.object({ user_id: idSchema, email: emailSchema, ...figures })),
        nextCursor: nextCursorSchema,
      }),
    },
  },
  problems: [],
});
