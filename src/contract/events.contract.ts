import { z } from 'zod';
import { JOB_STATUSES, resultSchema } from './inference.contract.js';
import { idSchema, timeSchema } from './route.contract.js';

/** What the event log holds about a job: one entry per transition, and progress while it runs. */
export const jobEventDataSchema = z.object({
  inferenceId: idSchema,
  status: z.enum(JOB_STATUSES),
  attempt: z.int().optional(),
  progress: z.object({ processed: z.int(), total: z.int() }).optional(),
  /** Only with COMPLETED. */
  result: resultSchema.pick({ requestId: true, carbon_footprint: true, download_url: true, message: true }).optional(),
  /** With FAILED and ABORTED, and with PENDING when an attempt is to be repeated. */
  errorMessage: z.string().optional(),
});

export type JobEventData = z.infer<typeof jobEventDataSchema>;

export const EVENT_TYPES = ['INFERENCE_STATUS_UPDATE'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Position in a user's event log: 1, 2, 3, … without gaps. */
export const sequenceSchema = z.int().min(0);

export const clientMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('authenticate'),
    token: z.string().max(8192),
    /** Last sequence the client has seen: everything after it is sent. Left out: only what happens from now on. */
    lastSeq: sequenceSchema.optional(),
  }),
  z.object({ type: z.literal('ping') }),
]);

export type ClientMessage = z.infer<typeof clientMessageSchema>;

export const serverMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connection'), message: z.string(), timestamp: timeSchema }),
  z.object({
    type: z.literal('authenticated'),
    data: z.object({ success: z.literal(true), userId: idSchema, seq: sequenceSchema }),
    timestamp: timeSchema,
  }),
  z.object({ type: z.literal('pong'), timestamp: timeSchema }),
  z.object({
    type: z.literal('notification'),
    event: z.enum(EVENT_TYPES),
    seq: sequenceSchema,
    data: jobEventDataSchema,
    timestamp: timeSchema,
  }),
  /** The client fell behind: reconnect with the last sequence seen. */
  z.object({ type: z.literal('resync'), lastSeq: sequenceSchema, timestamp: timeSchema }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string(), timestamp: timeSchema }),
]);

export type ServerMessage = z.infer<typeof serverMessageSchema>;
