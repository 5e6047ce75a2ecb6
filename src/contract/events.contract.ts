import { z } from 'zod';
import { JOB_STATUSES, resultSchema } from './inference.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  pageQuery,
  timeSchema,
  visibleText,
} from './route.contract.js';

/** What the event log holds about a job: one entry per transition, and progress while it runs. */
const jobEventDataSchema = z.object({
  inferenceId: idSchema,
  status: z.enum(JOB_STATUSES),
  attempt: z.int().optional(),
  progress: z.object({ processed: z.int(), total: z.int() }).optional(),
  /** Only with COMPLETED. */
  result: resultSchema.pick({ requestId: true, carbon_footprint: true, download_url: true, message: true }).optional(),
  /** With FAILED and ABORTED, and with PENDING when an attempt is to be repeated. */
  errorMessage: z.string().optional(),
});

const testMessageSchema = visibleText('A message', 1000).meta({ example: 'Hello from InferNode' });

/** What `POST /websocket/test` puts into the log. */
const testEventDataSchema = z.object({ message: z.string() });

/** A webhook was switched off by the server: its receiver answered 410, or took nothing for days. */
const webhookDisabledDataSchema = z.object({
  webhookId: idSchema,
  url: z.string(),
  reason: z.enum(['gone', 'failing']),
});

/** Every kind of entry, with what it holds. */
const EVENT_DATA = {
  INFERENCE_STATUS_UPDATE: jobEventDataSchema,
  TEST_NOTIFICATION: testEventDataSchema,
  WEBHOOK_DISABLED: webhookDisabledDataSchema,
};

export type EventType = keyof typeof EVENT_DATA;
export const EVENT_TYPES = Object.keys(EVENT_DATA) as [EventType, ...EventType[]];

/** A kind of entry together with its data. */
export type EventContent = {
  [T in EventType]: { type: T; data: z.output<(typeof EVENT_DATA)[T]> };
}[EventType];

/** Position in a user's event log: 1, 2, 3, … without gaps. */
export const sequenceSchema = z.int().min(0);

/** The members of an entry of one kind. */
export const entryOf = <T extends EventType>(event: T) => ({
  event: z.literal(event),
  seq: sequenceSchema.min(1),
  data: EVENT_DATA[event],
  timestamp: timeSchema,
});

/** One entry of the log, the same on every way out of it. */
export const eventSchema = z.discriminatedUnion('event', [
  z.object(entryOf('INFERENCE_STATUS_UPDATE')),
  z.object(entryOf('TEST_NOTIFICATION')),
  z.object(entryOf('WEBHOOK_DISABLED')),
]);

export type EventEntry = z.infer<typeof eventSchema>;

const notification = { type: z.literal('notification') };

const RESYNC_REASONS = ['too-slow', 'gone'] as const;

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
    z.object({ ...notification, ...entryOf('WEBHOOK_DISABLED') }),
  ]),
  /**
   * The server closes after it; reconnect with this `lastSeq`. `too-slow`: nothing is lost, it is the last that was sent.
   * `gone`: the events up to it are no longer kept.
   */
  z.object({
    type: z.literal('resync'),
    reason: z.enum(RESYNC_REASONS),
    lastSeq: sequenceSchema,
    timestamp: timeSchema,
  }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string(), timestamp: timeSchema }),
]);

export type ServerMessage = z.infer<typeof serverMessageSchema>;

export type Notification = Extract<ServerMessage, { type: 'notification' }>;
/** A notification about a job. */
export type JobNotification = Extract<Notification, { event: 'INFERENCE_STATUS_UPDATE' }>;

/** A position as it stands in an address or a header. */
const positionText = z
  .string()
  .regex(/^\d{1,15}$/, 'Use a whole number from 0.')
  .transform(Number);

const LAST_EVENT_ID = 'Last-Event-ID';

const followRequest = {
  query: z.strictObject({
    after: positionText
      .optional()
      .meta({ description: 'The position behind which to begin; `Last-Event-ID` wins over it.', example: '0' }),
    limit: pageQuery.limit.meta({ description: 'Longest page of JSON; a stream has no end.' }),
  }),
  headers: z.object({
    [LAST_EVENT_ID]: positionText
      .optional()
      .meta({ description: '`id` of the last event that was taken: the stream goes on behind it.' }),
  }),
};

const eventPageSchema = z.object({
  events: z.array(eventSchema),
  nextAfter: sequenceSchema.meta({ description: 'Send it as `after` to get what comes next.' }),
});

const STREAM = {
  description:
    'For clients that accept `text/event-stream`: server-sent events, `id` the position, `event` its kind, `data` as in ' +
    'the JSON. A comment every 15 seconds keeps the line open. `event: resync` comes before an end that means more than ' +
    '"come back".',
};

export const eventsRoute = defineRoute({
  operationId: 'getEvents',
  method: 'get',
  path: '/events',
  access: 'user',
  tag: 'Events',
  summary: "Follow the caller's event log",
  description:
    'The log that the WebSocket and webhooks tell from as well: per user, numbered without gaps. With ' +
    '`Accept: text/event-stream` it is a stream (from now on, unless a position is given), else a page of JSON (from the ' +
    'first event that is kept, unless a position is given), to be asked for again with `nextAfter`.',
  request: followRequest,
  success: {
    status: 200,
    answer: { description: 'What comes behind the position.', schema: eventPageSchema, stream: STREAM },
  },
  problems: ['events-gone', 'too-many-requests'],
});

export const jobEventsRoute = defineRoute({
  operationId: 'getJobEvents',
  method: 'get',
  path: '/inference/{id}/events',
  access: 'user',
  tag: 'Events',
  summary: 'Follow one job',
  description:
    'The events of one job, from the first that is kept, with their positions in the log of the caller. The stream ends ' +
    'with the job: a client that comes back behind the last event is told with 204 that nothing more will come.',
  request: { params: idParams, ...followRequest },
  success: {
    status: 200,
    answer: {
      description: 'What comes behind the position.',
      schema: eventPageSchema,
      stream: { ...STREAM, nothingLeft: 'The stream has ended with the job, and the client has seen its end.' },
    },
  },
  problems: ['not-found', 'events-gone', 'too-many-requests'],
});

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
