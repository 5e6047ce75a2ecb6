import { z } from 'zod';
import { JOB_STATUSES, resultSchema } from './inference.contract.js';
import { defineRoute, idSchema, messageSchema, timeSchema, visibleText } from './route.contract.js';

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

const testMessageSchema = visibleText('A message', 1000).meta({ example: 'Hello from InferNode' });

/** What `POST /websocket/test` puts into the log. */
const testEventDataSchema = z.object({ message: z.string() });

/** Every kind of entry, with what it holds. */
const EVENT_DATA = {
  INFERENCE_STATUS_UPDATE: jobEventDataSchema,
  TEST_NOTIFICATION: testEventDataSchema,
};

export type EventType = keyof typeof EVENT_DATA;
export const EVENT_TYPES = Object.keys(EVENT_DATA) as [EventType, ...EventType[]];

/** A kind of entry together with its data. */
export type EventContent = {
  [T in EventType]: { type: T; data: z.output<(typeof EVENT_DATA)[T]> };
}[EventType];

/** Position in a user's event log: 1, 2, 3, … without gaps. */
export const sequenceSchema = z.int().min(0);

const entryOf = <T extends EventType>(event: T) => ({
  event: z.literal(event),
  seq: sequenceSchema.min(1),
  data: EVENT_DATA[event],
  timestamp: timeSchema,
});

/** One entry of the log, the same on every way out of it. */
export const eventSchema = z.discriminatedUnion('event', [
  z.object(entryOf('INFERENCE_STATUS_UPDATE')),
  z.object(entryOf('TEST_NOTIFICATION')),
]);

export type EventEntry = z.infer<typeof eventSchema>;

const notification = { type: z.literal('notification') };

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
  z.discriminatedUnion('event', [
    z.object({ ...notification, ...entryOf('INFERENCE_STATUS_UPDATE') }),
    z.object({ ...notification, ...entryOf('TEST_NOTIFICATION') }),
  ]),
  /** The client fell behind: reconnect with the last sequence seen. */
  z.object({ type: z.literal('resync'), lastSeq: sequenceSchema, timestamp: timeSchema }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string(), timestamp: timeSchema }),
]);

export type ServerMessage = z.infer<typeof serverMessageSchema>;

export type Notification = Extract<ServerMessage, { type: 'notification' }>;
/** A notification about a job. */
export type JobNotification = Extract<Notification, { event: 'INFERENCE_STATUS_UPDATE' }>;

export const websocketStatsRoute = defineRoute({
  operationId: 'getWebSocketStats',
  method: 'get',
  path: '/websocket/stats',
  access: 'user',
  tag: 'Events',
  summary: 'Count the open WebSocket connections',
  description: 'Connections to `/ws` that have authenticated, over all API processes of the installation.',
  success: {
    status: 200,
    answer: {
      description: 'How many there are.',
      schema: z.object({
        success: z.literal(true),
        data: z.object({
          totalConnections: z.int().nonnegative().meta({ description: 'Of all users.', example: 12 }),
          userConnections: z.int().nonnegative().meta({ description: "The caller's own.", example: 2 }),
        }),
      }),
    },
  },
  problems: [],
});

export const websocketTestRoute = defineRoute({
  operationId: 'sendTestNotification',
  method: 'post',
  path: '/websocket/test',
  idempotency: { without: 'A second test notification costs nothing and replaces nothing.' },
  access: 'user',
  tag: 'Events',
  summary: 'Send yourself a test notification',
  description:
    'Appends a `TEST_NOTIFICATION` to the event log of the caller, so that it reaches every open connection of theirs ' +
    'on every API process, and those that come back later.',
  request: { body: z.strictObject({ message: testMessageSchema }) },
  success: {
    status: 200,
    answer: {
      description: 'It is in the log.',
      schema: z.object({
        success: z.literal(true),
        message: messageSchema.meta({ example: 'Test notification sent' }),
      }),
    },
  },
  problems: [],
});
