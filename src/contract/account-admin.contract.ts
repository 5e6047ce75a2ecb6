import { z } from 'zod';
import { accountSchema, ROLES } from './account.contract.js';
import { defineRoute, idParams, messageSchema, nextCursorSchema, pageQuery, timeSchema } from './route.contract.js';

const managedAccountSchema = accountSchema.extend({
  disabled_at: timeSchema.nullable().meta({ description: 'Since when the account is disabled; null: it is active.' }),
});

export const listUsersRoute = defineRoute({
  operationId: 'listUsers',
  method: 'get',
  path: '/admin/users',
  access: 'admin',
  tag: 'Administration',
  summary: 'List users, oldest account first',
  description: 'Filters hold together: a user has to fit all of them.',
  request: {
    query: z.strictObject({
      email: z
        .string()
        .trim()
        .toLowerCase()
        .min(1)
        .max(254)
        .refine((text) => !/\p{C}/u.test(text), 'An email address has no control characters.')
        .optional()
        .meta({ description: 'How the email address begins.', example: 'user@' }),
      role: z.enum(ROLES).optional().meta({ description: 'Only users of this role.' }),
      status: z.enum(['active', 'disabled']).optional().meta({ description: 'Only users of this status.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of users.',
      schema: z.object({ users: z.array(managedAccountSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const updateUserRoute = defineRoute({
  operationId: 'updateUser',
  method: 'put',
  path: '/admin/users/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Change the role of a user, or disable the account',
  description:
    'What is left out stays as it is. Disabling ends all sessions and open connections at once and suspends the API ' +
    'keys; jobs that were submitted go on, as they are paid for. Enabling brings the keys back, not the sessions. The ' +
    'last active administrator can be neither disabled nor made an ordinary user.',
  request: {
    params: idParams,
    body: z
      .strictObject({ role: z.enum(ROLES).optional(), disabled: z.boolean().optional() })
      .refine(({ role, disabled }) => role !== undefined || disabled !== undefined, 'Say what to change.')
      .meta({ example: { disabled: true } }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The user as it is now.',
      schema: z.object({ message: messageSchema.meta({ example: 'User updated' }), user: managedAccountSchema }),
    },
  },
  problems: ['last-administrator'],
});
