import { z } from 'zod';
import { defineRoute, idSchema, messageSchema, timeSchema } from './route.contract.js';

export const ROLES = ['user', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** bcrypt reads no further than this many bytes; a longer password would silently be cut. */
export const PASSWORD_MAX_BYTES = 72;
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

export const emailSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .pipe(z.email())
  .meta({ format: 'email', maxLength: 254, example: 'user@example.com' });

export const newPasswordSchema = z
  .string()
  .min(8, 'A password has at least 8 characters.')
  .refine(
    (text) => byteLength(text) <= PASSWORD_MAX_BYTES,
    `A password has at most ${PASSWORD_MAX_BYTES} bytes in UTF-8.`,
  )
  .refine((text) => !/[\0\p{Cs}]/u.test(text), 'A password cannot contain the NUL character or broken text.')
  .meta({ example: 'securepassword123' });

/** What a login and each refresh give. */
export const tokensSchema = {
  token: z.string().meta({ description: 'Access token: a JWT signed with RS256, sent as `Authorization: Bearer …`.' }),
  refreshToken: z
    .string()
    .meta({ description: 'For `POST /api/auth/refresh`, once: each use gives the next one. It is no access token.' }),
  expiresIn: z.int().positive().meta({ description: 'Seconds that the access token is valid for.', example: 86_400 }),
};

export const registerRoute = defineRoute({
  operationId: 'register',
  method: 'post',
  path: '/auth/register',
  idempotency: { without: 'An address registers once: a repetition is answered with email-taken.' },
  access: 'none',
  tag: 'Accounts',
  summary: 'Register a new user',
  description:
    'A new account starts with the credits that the installation grants (100 by default). A password that is among the ' +
    'most common ones, or equal to the email address, is refused.',
  request: { body: z.strictObject({ email: emailSchema, password: newPasswordSchema }) },
  success: {
    status: 201,
    answer: {
      description: 'The account exists.',
      schema: z.object({
        message: messageSchema.meta({ example: 'User registered successfully' }),
        user: z.object({ id: idSchema, email: z.string(), role: z.enum(ROLES), credit: z.int() }),
      }),
    },
  },
  problems: ['email-taken', 'too-many-requests'],
});

export const loginRoute = defineRoute({
  operationId: 'login',
  method: 'post',
  path: '/auth/login',
  idempotency: { without: 'Creates and charges nothing; its answer is a secret that is not kept.' },
  access: 'none',
  tag: 'Accounts',
  summary: 'Log in and get a token',
  description:
    'The token is a JWT signed with RS256. Send it as `Authorization: Bearer …`. A wrong password and an unknown ' +
    'address get the same answer, and so do both after too many failures in a row: 429, with the time to wait in ' +
    '`Retry-After`.',
  request: {
    body: z.strictObject({
      email: z.string().trim().toLowerCase().max(254).meta({ example: 'user@example.com' }),
      password: z.string().max(1024).meta({ example: 'securepassword123' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The credentials are right.',
      schema: z.object({ message: messageSchema.meta({ example: 'Login successful' }), ...tokensSchema }),
    },
  },
  problems: ['invalid-credentials', 'too-many-requests'],
});

export const accountSchema = z.object({
  id: idSchema,
  email: z.string(),
  role: z.enum(ROLES),
  credit: z.int().nonnegative(),
  created_at: timeSchema,
});

export const profileRoute = defineRoute({
  operationId: 'getProfile',
  method: 'get',
  path: '/user',
  access: 'user',
  tag: 'Accounts',
  summary: "Get the caller's account",
  success: {
    status: 200,
    answer: { description: 'The account.', schema: z.object({ user: accountSchema }) },
  },
  problems: [],
});

export const creditsRoute = defineRoute({
  operationId: 'getCredits',
  method: 'get',
  path: '/user/credits',
  access: 'user',
  tag: 'Credits',
  summary: "Get the caller's credit balance",
  success: {
    status: 200,
    answer: {
      description: 'The balance.',
      schema: z.object({ credits: z.int().nonnegative().meta({ example: 100 }) }),
    },
  },
  problems: [],
});
