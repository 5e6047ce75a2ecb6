import { z } from 'zod';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  nextCursorSchema,
  pageQuery,
  SCOPES,
  timeSchema,
  visibleText,
} from './route.contract.js';

const scopesSchema = z
  .array(z.enum(SCOPES))
  .min(1, 'Name at least one scope.')
  .refine((scopes) => new Set(scopes).size === scopes.length, 'Name each scope once.')
  .meta({
    description:
      '`read`: every GET. `write`: everything else. `admin`: what is for administrators, beside the other two.',
    example: ['read'],
  });

const apiKeySchema = z.object({
  id: idSchema,
  name: z.string(),
  prefix: z.string().meta({ description: 'How the key begins.', example: 'ink_3kTfW9' }),
  scopes: z.array(z.enum(SCOPES)),
  created_at: timeSchema,
  expires_at: timeSchema.nullable(),
  last_used_at: timeSchema.nullable().meta({ description: 'To the minute.' }),
});

export const createApiKeyRoute = defineRoute({
  operationId: 'createApiKey',
  method: 'post',
  path: '/user/api-keys',
  idempotency: { without: 'The answer holds the key itself, a secret that is not kept; a key too many is deleted.' },
  access: 'session',
  tag: 'Accounts',
  summary: 'Create an API key',
  description:
    'For programs: send it like a token, `Authorization: Bearer ink_…`. It is shown only in this answer, and kept as a ' +
    'hash. A key cannot manage keys, sessions or the password: that takes a login.',
  request: {
    body: z.strictObject({
      name: visibleText('A name', 100).meta({ example: 'nightly run' }),
      scopes: scopesSchema,
      expiresAt: z.iso
        .datetime({ offset: true })
        .optional()
        .meta({ description: 'Left out: the key does not expire.', example: '2100-01-01T00:00:00Z' }),
    }),
  },
  success: {
    status: 201,
    answer: {
      description: 'The key works.',
      schema: z.object({
        message: messageSchema.meta({ example: 'API key created; it is shown only now' }),
        key: z.string(),
        api_key: apiKeySchema,
      }),
    },
  },
  problems: ['forbidden', 'limit-reached'],
});

export const listApiKeysRoute = defineRoute({
  operationId: 'listApiKeys',
  method: 'get',
  path: '/user/api-keys',
  access: 'session',
  tag: 'Accounts',
  summary: "List the caller's API keys, oldest first",
  request: { query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of keys, without their secrets.',
      schema: z.object({ api_keys: z.array(apiKeySchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const deleteApiKeyRoute = defineRoute({
  operationId: 'deleteApiKey',
  method: 'delete',
  path: '/user/api-keys/{id}',
  access: 'session',
  tag: 'Accounts',
  summary: "Delete one of the caller's API keys",
  description: 'The key is refused from now on, and open connections that it authenticated end.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The key is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'API key deleted' }) }),
    },
  },
  problems: [],
});
