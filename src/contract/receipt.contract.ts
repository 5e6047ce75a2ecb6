import { z } from 'zod';
import { energyMembers, intensitySchema } from './carbon.contract.js';
import { defineRoute, idParams, idSchema, timeSchema } from './route.contract.js';

/** RFC 8725 section 3.11: a receipt is never taken for a token of another use. */
export const RECEIPT_TYPE = 'infernode-receipt+json';
export const RECEIPT_ALGORITHM = 'EdDSA';

const sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: 'SHA-256, hexadecimal digits.', example: '9f86d081'.repeat(8) });
const videoSchema = z.object({ id: idSchema, sha256: sha256Schema, bytes: z.int() });
const energySchema = z.object(energyMembers);

const attemptSchema = z.object({
  number: z.int(),
  runner: z.object({ kind: z.string(), name: z.string() }).nullable(),
  started_at: timeSchema,
  finished_at: timeSchema,
  outcome: z.string(),
  resumed_rows: z.int().meta({ description: 'Taken over from the attempts before.' }),
  seconds: z.number().nullable().meta({ description: 'That the runner was at work; null: nobody knows.' }),
  energy: energySchema.nullable(),
  carbon_footprint: z.number().nullable().meta({ description: 'Grams CO2e.' }),
});

/** What a completed job came to, as it is signed. */
export const receiptSchema = z
  .object({
    version: z.literal(1),
    receipt_id: idSchema,
    job_id: idSchema,
    user_id: idSchema,
    retry_of: idSchema.nullable(),
    created_at: timeSchema,
    started_at: timeSchema,
    finished_at: timeSchema,
    model: z.object({
      name: z.string(),
      version: z.string(),
      digest: z.string().nullable().meta({ description: 'Of the weights that were used; null for none.' }),
    }),
    inputs: z.object({ goal_video: videoSchema, current_video: videoSchema }),
    parameters: z.record(z.string(), z.unknown()),
    runner: z
      .object({ kind: z.string(), name: z.string(), version: z.string() })
      .nullable()
      .meta({ description: 'What the result is of.' }),
    device: z.enum(['cpu', 'gpu']).nullable(),
    attempts: z.array(attemptSchema),
    frames: z.int(),
    seconds: z.number().meta({ description: 'Of all attempts, by the clock.' }),
    cpu_seconds: z.number(),
    gpu_seconds: z.number(),
    energy: energySchema,
    intensity: intensitySchema.nullable(),
    carbon_footprint: z.number().meta({ description: 'Grams CO2e.' }),
    reported_grams: z.number().nullable().meta({ description: 'Grams CO2e that the model server claims for itself.' }),
    credits: z.int().meta({ description: 'Taken for the job.' }),
    result: z.object({
      sha256: sha256Schema
        .nullable()
        .meta({ description: 'Of these members of the result in the form of RFC 8785; null: it was gone already.' }),
      members: z.array(z.string()),
      archive: z.object({ sha256: sha256Schema, bytes: z.int() }),
    }),
  })
  .meta({ id: 'Receipt' });

export type Receipt = z.infer<typeof receiptSchema>;

export const jobReceiptRoute = defineRoute({
  operationId: 'getJobReceipt',
  method: 'get',
  path: '/inference/{id}/receipt',
  access: 'user',
  tag: 'Inference',
  summary: 'Get the signed receipt of a completed job',
  description:
    'What went in, what ran it, and what it took, signed with a key of `/.well-known/jwks.json` (JWS in compact form, ' +
    'RFC 7515; Ed25519, RFC 8037). The same to the letter whenever it is asked for, also when videos and result are gone. ' +
    '`infernode receipt verify` checks it, offline too.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The receipt.',
      schema: z.object({
        receipt: receiptSchema,
        jws: z.string().meta({ description: 'The receipt as it was signed; this is what counts.' }),
      }),
    },
  },
  problems: ['not-found', 'result-not-ready', 'job-without-result'],
});
