import { z } from 'zod';
import { newPasswordSchema, tokensSchema } from './account.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  nextCursorSchema,
  pageQuery,
  timeSchema,
} from './route.contract.js';

export const refreshRoute = defineRoute({
  operationId: 'refreshToken',
  method: 'post',
  path: '/auth/refresh',
  idempotency: { without: 'A refresh token works once; the answer is a secret that is not kept.' },
  access: 'none',
  tag: 'Accounts',
  summary: 'Exchange a refresh token for a new pair of tokens',
  description:
    'A refresh token works once. Of two requests that send the same one, one wins; the other is answered 409 ' +
    '`refresh-token-spent` for ten seconds, which changes nothing: the winner has the new pair. A spent token that ' +
    'comes back later has been stolen or copied: the session ends, with all of its tokens.',
  request: {
    body: z.strictObject({
      refreshToken: z
        .string()
        .min(1)
        .max(8192)
        .meta({ example: `inr_${'A'.repeat(65)}` }),
    }),
  },
  success: { status: 200, answer: { description: 'The next pair.', schema: z.object(tokensSchema) } },
  problems: ['invalid-token', 'refresh-token-spent'],
});

export const logoutRoute = defineRoute({
  operationId: 'logout',
  method: 'post',
  path: '/auth/logout',
  idempotency: { without: 'Who is logged out stays logged out.' },
  access: 'session',
  tag: 'Accounts',
  summary: 'Log out',
  description: 'Ends the session of the token: its access and refresh tokens are refused from now on.',
  request: {
    body: z.strictObject({
      all: z
        .boolean()
        .default(false)
        .meta({ description: "End all of the user's sessions, not only this one. API keys stay.", example: false }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'Logged out.',
      schema: z.object({ message: messageSchema.meta({ example: 'Logged out' }) }),
    },
  },
  problems: [],
});

export const changePasswordRoute = defineRoute({
  operationId: 'changePassword',
  method: 'post',
  path: '/auth/password',
  idempotency: { without: 'The same password twice is the same password.' },
  access: 'session',
  tag: 'Accounts',
  summary: "Change the caller's password",
  description: 'Ends every other session of the user. API keys stay: delete those that should not.',
  request: {
    body: z.strictObject({
      currentPassword: z.string().max(1024).meta({ example: 'securepassword123' }),
      newPassword: newPasswordSchema.meta({ example: 'an even securer password' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The new password counts.',
      schema: z.object({ message: messageSchema.meta({ example: 'Password changed' }) }),
    },
  },
  problems: ['too-many-requests'],
});

export const listSessionsRoute = defineRoute({
  operationId: 'listSessions',
  method: 'get',
  path: '/user/sessions',
  access: 'session',
  tag: 'Accounts',
  summary: "List the caller's sessions, newest first",
  request: { query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of the sessions that are alive.',
      schema: z.object({
        sessions: z.array(
          z.object({
            id: idSchema,
            current: z.boolean().meta({ description: 'The session of the token that asked.' }),
            created_at: timeSchema,
            last_used_at: timeSchema.meta({ description: 'To the minute.' }),
            expires_at: timeSchema,
            address: z.string().nullable().meta({ description: 'Where it was last refreshed or logged in from.' }),
            user_agent: z.string().nullable(),
          }),
        ),
        nextCursor: nextCursorSchema,
      }),
    },
  },
  problems: [],
});

export const endSessionRoute = defineRoute({
  operationId: 'endSession',
  method: 'delete',
  path: '/user/sessions/{id}',
  access: 'session',
  tag: 'Accounts',
  summary: "End one of the caller's sessions",
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The session has ended.',
      schema: z.object({ message: messageSchema.meta({ example: 'Session ended' }) }),
    },
  },
  problems: [],
});
