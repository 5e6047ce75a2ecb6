import { z } from 'zod';
import { entryOf, EVENT_TYPES, sequenceSchema, type EventType } from './events.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  nextCursorSchema,
  pageQuery,
  timeSchema,
} from './route.contract.js';

export const DISABLED_REASONS = ['owner', 'gone', 'failing'] as const;
export const DELIVERY_KINDS = ['event', 'test', 'replay'] as const;
export const DELIVERY_STATUSES = ['PENDING', 'DELIVERED', 'FAILED', 'CANCELLED'] as const;
export const DELIVERY_OUTCOMES = ['DELIVERED', 'FAILED'] as const;

/** What `POST /webhooks/{id}/test` sends; it is not in the log. */
export const WEBHOOK_TEST = 'WEBHOOK_TEST';

const messageOf = <T extends EventType>(kind: T) => {
  const { event: type, ...rest } = entryOf(kind);
  return z.object({ type, ...rest });
};

/** The body of a request to a webhook: an entry of the log, or a test. */
export const webhookMessageSchema = z.union([
  messageOf('INFERENCE_STATUS_UPDATE'),
  messageOf('TEST_NOTIFICATION'),
  messageOf('WEBHOOK_DISABLED'),
  z.object({
    type: z.literal(WEBHOOK_TEST),
    timestamp: timeSchema,
    data: z.object({ webhookId: idSchema, message: z.string() }),
  }),
]);

export type WebhookMessage = z.infer<typeof webhookMessageSchema>;

const urlSchema = z
  .url({ protocol: /^https?$/, error: 'Use an address that starts with https://.' })
  .max(2_000)
  // Parsers of addresses drop or encode them silently: what is shown would not be what is called.
  .refine(
    (text) => !/[\s\p{Cc}\p{Cs}]/u.test(text),
    'An address cannot contain spaces, control characters or broken text.',
  )
  .meta({ example: 'https://example.com/hooks/infernode' });

const eventTypesSchema = z
  .array(z.enum(EVENT_TYPES))
  .max(50)
  .transform((types) => [...new Set(types)])
  .meta({ description: 'Which events are delivered; empty: all, also kinds to come.', example: [EVENT_TYPES[0]] });

const descriptionSchema = z
  .string()
  .trim()
  .max(500)
  .refine((text) => !/\p{Cc}|\p{Cs}/u.test(text), 'A description cannot contain control characters.')
  .meta({ example: 'Results into the lab notebook' });

const secretSchema = z.string().meta({
  description: 'Shown in this answer only. Verify with it as https://www.standardwebhooks.com says.',
  example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwaGVzaGVzaGU=',
});

const webhookSchema = z.object({
  id: idSchema,
  url: z.string(),
  description: z.string(),
  event_types: z.array(z.enum(EVENT_TYPES)),
  enabled: z.boolean(),
  disabled_reason: z
    .enum(DISABLED_REASONS)
    .nullable()
    .meta({ description: '`owner`: by hand; `gone`: the receiver answered 410; `failing`: for too long.' }),
  disabled_at: timeSchema.nullable(),
  failing_since: timeSchema.nullable().meta({ description: 'Null when the last event was taken.' }),
  previous_secret_expires_at: timeSchema
    .nullable()
    .meta({ description: 'Until then requests are signed with the secret before the last rotation as well.' }),
  created_at: timeSchema,
  updated_at: timeSchema,
});

const attemptSchema = z.object({
  number: z.int(),
  outcome: z.enum(DELIVERY_OUTCOMES).nullable().meta({ description: 'Null while it lasts, or when it was cut off.' }),
  response_status: z.int().nullable(),
  response_body: z.string().nullable().meta({ description: 'Its first 1,000 characters.' }),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  duration_ms: z.int().nullable(),
  started_at: timeSchema,
});

const deliverySchema = z.object({
  id: idSchema,
  message_id: z
    .string()
    .meta({ description: 'The `webhook-id` header: the same for the same event, also in a replay.' }),
  kind: z.enum(DELIVERY_KINDS),
  type: z.string(),
  seq: sequenceSchema.nullable(),
  status: z.enum(DELIVERY_STATUSES),
  next_attempt_at: timeSchema.nullable(),
  attempts: z.array(attemptSchema),
  created_at: timeSchema,
  finished_at: timeSchema.nullable(),
});

export const createWebhookRoute = defineRoute({
  operationId: 'createWebhook',
  method: 'post',
  path: '/webhooks',
  access: 'user',
  idempotency: {
    without: 'The answer holds the secret, which is not kept in the clear; a webhook too many is deleted.',
  },
  tag: 'Webhooks',
  summary: 'Have events sent to an address',
  description:
    'Events from now on are sent as Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`, at ' +
    'least once each, one at a time. Any 2xx is success; other answers, redirects included, are tried again for three ' +
    'days. Addresses of private networks are refused unless the installation allows them, ports of other ' +
    'services than web servers in any case.',
  request: {
    body: z.strictObject({
      url: urlSchema,
      event_types: eventTypesSchema.default([]),
      description: descriptionSchema.default(''),
      enabled: z.boolean().default(true),
    }),
  },
  success: {
    status: 201,
    answer: {
      description: 'The webhook and its secret.',
      schema: z.object({ message: messageSchema, webhook: webhookSchema, secret: secretSchema }),
    },
  },
  problems: ['too-many-webhooks'],
});

export const listWebhooksRoute = defineRoute({
  operationId: 'listWebhooks',
  method: 'get',
  path: '/webhooks',
  access: 'user',
  tag: 'Webhooks',
  summary: "List the caller's webhooks",
  request: { query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'In order of creation.',
      schema: z.object({ webhooks: z.array(webhookSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const getWebhookRoute = defineRoute({
  operationId: 'getWebhook',
  method: 'get',
  path: '/webhooks/{id}',
  access: 'user',
  tag: 'Webhooks',
  summary: 'Get a webhook',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'The webhook, without its secret.', schema: z.object({ webhook: webhookSchema }) },
  },
  problems: ['not-found'],
});

export const updateWebhookRoute = defineRoute({
  operationId: 'updateWebhook',
  method: 'put',
  path: '/webhooks/{id}',
  access: 'user',
  tag: 'Webhooks',
  summary: 'Change a webhook, switch it off or on',
  description:
    'A field that is left out stays as it is. Switching off cancels what was still to be delivered; switching on again ' +
    'begins with the next event.',
  request: {
    params: idParams,
    body: z
      .strictObject({
        url: urlSchema.optional(),
        event_types: eventTypesSchema.optional(),
        description: descriptionSchema.optional(),
        enabled: z.boolean().optional(),
      })
      .refine((body) => Object.values(body).some((value) => value !== undefined), 'Send at least one field.'),
  },
  success: {
    status: 200,
    answer: {
      description: 'The webhook as it is now.',
      schema: z.object({ message: messageSchema, webhook: webhookSchema }),
    },
  },
  problems: ['not-found'],
});

export const deleteWebhookRoute = defineRoute({
  operationId: 'deleteWebhook',
  method: 'delete',
  path: '/webhooks/{id}',
  access: 'user',
  tag: 'Webhooks',
  summary: 'Delete a webhook with its log',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'It is gone.', schema: z.object({ message: messageSchema }) },
  },
  problems: ['not-found'],
});

export const rotateWebhookSecretRoute = defineRoute({
  operationId: 'rotateWebhookSecret',
  method: 'post',
  path: '/webhooks/{id}/rotate',
  access: 'user',
  idempotency: { without: 'The answer holds the secret, which is not kept in the clear.' },
  tag: 'Webhooks',
  summary: 'Get a new secret',
  description:
    'For a while requests carry a signature of either secret, so that no event is lost while receivers change.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The new secret.',
      schema: z.object({ message: messageSchema, webhook: webhookSchema, secret: secretSchema }),
    },
  },
  problems: ['not-found'],
});

export const testWebhookRoute = defineRoute({
  operationId: 'testWebhook',
  method: 'post',
  path: '/webhooks/{id}/test',
  access: 'user',
  idempotency: 'key',
  tag: 'Webhooks',
  summary: 'Send a test message to a webhook',
  description: `A message of the type \`${WEBHOOK_TEST}\`, signed like all others, tried once.`,
  request: { params: idParams },
  success: {
    status: 202,
    answer: {
      description: 'It is on its way; its delivery tells how it went.',
      schema: z.object({ message: messageSchema, delivery: deliverySchema }),
    },
  },
  problems: ['not-found', 'webhook-disabled'],
});

export const listWebhookDeliveriesRoute = defineRoute({
  operationId: 'listWebhookDeliveries',
  method: 'get',
  path: '/webhooks/{id}/deliveries',
  access: 'user',
  tag: 'Webhooks',
  summary: 'See what was sent to a webhook',
  description: 'Newest first, each with its attempts. Kept as long as the events are.',
  request: {
    params: idParams,
    query: z.strictObject({
      status: z.enum(DELIVERY_STATUSES).optional().meta({ description: 'Only deliveries that stand so.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of deliveries.',
      schema: z.object({ deliveries: z.array(deliverySchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: ['not-found'],
});

export const replayWebhookDeliveryRoute = defineRoute({
  operationId: 'replayWebhookDelivery',
  method: 'post',
  path: '/webhooks/{id}/deliveries/{deliveryId}/replay',
  access: 'user',
  idempotency: 'key',
  tag: 'Webhooks',
  summary: 'Send a message once more',
  description: 'The same message under the same `webhook-id`, as a delivery of its own.',
  request: { params: idParams.extend({ deliveryId: idSchema.meta({ description: 'Of the delivery.' }) }) },
  success: {
    status: 202,
    answer: {
      description: 'It is on its way.',
      schema: z.object({ message: messageSchema, delivery: deliverySchema }),
    },
  },
  problems: ['not-found', 'webhook-disabled'],
});
