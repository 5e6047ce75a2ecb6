import { z } from 'zod';
import { emailSchema } from './account.contract.js';
import { parametersSchema, rangeSchema } from './inference.contract.js';
import { modelField } from './model-name.contract.js';
import {
  defineRoute,
  idSchema,
  messageSchema,
  nextCursorSchema,
  pageQuery,
  timeSchema,
  visibleText,
} from './route.contract.js';

export const CREDIT_ENTRY_KINDS = [
  'signup',
  'recharge',
  'upload',
  'inference-hold',
  'inference-capture',
  'inference-release',
  'refund',
  'adjustment',
] as const;
export type CreditEntryKind = (typeof CREDIT_ENTRY_KINDS)[number];

export const CREDIT_REFERENCE_TYPES = ['video', 'job'] as const;

/** Most credits that one recharge or adjustment moves. */
export const MAX_GRANT = 1_000_000_000;

const reasonSchema = visibleText('A reason', 500);

const creditEntrySchema = z.object({
  id: idSchema,
  kind: z.enum(CREDIT_ENTRY_KINDS),
  amount: z.int().meta({
    description: 'Positive into the account, negative out of it; 0 for a capture, which closes a hold.',
    example: -10,
  }),
  balance_after: z.int().nonnegative(),
  reason: z.string(),
  reference: z
    .object({ type: z.enum(CREDIT_REFERENCE_TYPES), id: idSchema })
    .nullable()
    .meta({ description: 'What was paid for.' }),
  actor: z.enum(['self', 'admin', 'system']).meta({ description: 'Who caused it.' }),
  created_at: timeSchema,
});

export const listCreditEntriesRoute = defineRoute({
  operationId: 'listCreditEntries',
  method: 'get',
  path: '/user/credits/entries',
  access: 'user',
  tag: 'Credits',
  summary: "List the movements of the caller's credits, newest first",
  description: 'The ledger: its amounts add up to the balance. Nothing in it is ever changed.',
  request: {
    query: z.strictObject({
      kind: z.enum(CREDIT_ENTRY_KINDS).optional().meta({ description: 'Only entries of this kind.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of the ledger.',
      schema: z.object({ entries: z.array(creditEntrySchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

const frameCount = z.int().min(1).max(10_000_000).meta({ example: 1500 });

export const quoteRoute = defineRoute({
  operationId: 'quote',
  method: 'post',
  path: '/quote',
  idempotency: { without: 'Tells a price: nothing is created and nothing is charged.' },
  access: 'user',
  tag: 'Credits',
  summary: 'Tell what an upload or a job request would cost',
  description:
    'Nothing is charged and nothing is created. Requests that would be refused for another reason than credit are ' +
    'refused here the same way; the price is the one that would be charged now.',
  request: {
    body: z.discriminatedUnion('kind', [
      z
        .strictObject({
          kind: z.literal('upload'),
          frames: z
            .union([frameCount, z.array(frameCount).min(1).max(1_000)])
            .meta({ description: 'Frames of the video; a list for several videos, as in a ZIP.', example: 1500 }),
          datasetId: idSchema.optional().meta({ description: 'Where the upload would go.' }),
        })
        .meta({ example: { kind: 'upload', frames: 1500 } }),
      z.strictObject({
        kind: z.literal('inference'),
        datasetId: idSchema,
        model: modelField,
        parameters: parametersSchema,
        range: rangeSchema,
      }),
    ]),
  },
  success: {
    status: 200,
    answer: {
      description: 'The price.',
      schema: z.object({
        cost: z.int().nonnegative().meta({ description: 'Of all items together.', example: 10 }),
        balance: z.int().nonnegative().meta({ description: 'What the caller holds now.', example: 100 }),
        sufficient: z.boolean(),
        items: z
          .array(
            z.object({
              frames: z.int().positive().meta({ description: 'Frames that are paid for.' }),
              cost: z.int().nonnegative(),
              goal_video_id: idSchema.optional().meta({ description: 'Of a job.' }),
              current_video_id: idSchema.optional().meta({ description: 'Of a job.' }),
            }),
          )
          .meta({ description: 'One for each video or job.' }),
      }),
    },
  },
  problems: ['not-found', 'empty-dataset', 'policy-unavailable', 'model-unavailable'],
});

export const rechargeRoute = defineRoute({
  operationId: 'recharge',
  method: 'post',
  path: '/admin/recharge',
  idempotency: 'key',
  access: 'admin',
  tag: 'Administration',
  summary: "Add credits to a user's account",
  request: {
    body: z.strictObject({
      email: emailSchema,
      credits: z.int().min(1).max(MAX_GRANT).meta({ example: 50 }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The credits are booked.',
      schema: z.object({
        message: messageSchema.meta({ example: "User's credits updated" }),
        newBalance: z.int().nonnegative().meta({ example: 150 }),
      }),
    },
  },
  problems: ['not-found', 'balance-limit'],
});

export const adjustRoute = defineRoute({
  operationId: 'adjustCredits',
  method: 'post',
  path: '/admin/adjust',
  idempotency: 'key',
  access: 'admin',
  tag: 'Administration',
  summary: "Correct a user's balance, up or down, with a reason",
  request: {
    body: z.strictObject({
      email: emailSchema,
      amount: z
        .int()
        .min(-MAX_GRANT)
        .max(MAX_GRANT)
        .refine((amount) => amount !== 0, 'An adjustment of nothing is none.')
        .meta({ description: 'Added to the balance, which cannot fall below zero.', example: -5 }),
      reason: reasonSchema.meta({ example: 'Charged for a test video by mistake' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The adjustment is booked.',
      schema: z.object({ message: messageSchema, newBalance: z.int().nonnegative() }),
    },
  },
  problems: ['not-found', 'balance-limit'],
});

export const refundRoute = defineRoute({
  operationId: 'refund',
  method: 'post',
  path: '/admin/refund',
  idempotency: 'key',
  access: 'admin',
  tag: 'Administration',
  summary: 'Give back what a user paid for an upload or a completed job',
  description: 'Once for each. A job that ended without a result has been paid back already.',
  request: {
    body: z.strictObject({
      reference: z.strictObject({ type: z.enum(CREDIT_REFERENCE_TYPES), id: idSchema }),
      reason: reasonSchema.meta({ example: 'The video was damaged in our storage' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The credits are back.',
      schema: z.object({
        message: messageSchema,
        refunded: z.int().positive().meta({ example: 10 }),
        newBalance: z.int().nonnegative(),
      }),
    },
  },
  problems: ['not-found', 'nothing-to-refund', 'already-refunded', 'balance-limit'],
});
