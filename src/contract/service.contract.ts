import { z } from 'zod';
import { defineRoute, timeSchema } from './route.contract.js';

export const healthRoute = defineRoute({
  operationId: 'getHealth',
  method: 'get',
  path: '/health',
  access: 'none',
  unlimited: true,
  tag: 'Service',
  summary: 'Tell whether the server works',
  description: 'Asks the database. 503 when it does not answer, or while the server is shutting down.',
  success: {
    status: 200,
    answer: {
      description: 'The server works.',
      schema: z.object({ status: z.string().meta({ example: 'Server is working!' }), timestamp: timeSchema }),
    },
  },
  problems: ['service-unavailable'],
});

export const openapiRoute = defineRoute({
  operationId: 'getOpenApi',
  method: 'get',
  path: '/openapi.json',
  access: 'none',
  tag: 'Service',
  summary: 'This document',
  success: {
    status: 200,
    answer: { description: 'The OpenAPI document.', schema: z.looseObject({ openapi: z.string() }) },
  },
  problems: [],
});

export const docsRoute = defineRoute({
  operationId: 'getDocs',
  method: 'get',
  path: '/docs',
  access: 'none',
  tag: 'Service',
  summary: 'Swagger UI',
  success: { status: 200, answer: { description: 'A page to explore the API with.', contentType: 'text/html' } },
  problems: [],
});

export const keySetRoute = defineRoute({
  operationId: 'getKeySet',
  method: 'get',
  path: '/.well-known/jwks.json',
  outsideApi: true,
  access: 'none',
  tag: 'Service',
  summary: 'The public keys that verify access tokens and receipts',
  description:
    'A JSON Web Key Set (RFC 7517). Tokens are signed with RS256: the key that signs first, after a rotation also the one ' +
    'before it. Receipts are signed with EdDSA: every key that has ever signed one. `kid` is the thumbprint of RFC 7638. ' +
    'Whoever verifies fetches the set again for a `kid` that is not known yet.',
  success: {
    status: 200,
    answer: {
      description: 'The keys.',
      headers: { 'Cache-Control': 'How long the answer may be kept.' },
      schema: z.object({
        keys: z.array(
          z.discriminatedUnion('kty', [
            z.object({
              kty: z.literal('RSA'),
              use: z.literal('sig'),
              alg: z.literal('RS256'),
              kid: z.string(),
              n: z.string(),
              e: z.string(),
            }),
            z.object({
              kty: z.literal('OKP'),
              crv: z.literal('Ed25519'),
              use: z.literal('sig'),
              alg: z.literal('EdDSA'),
              kid: z.string(),
              x: z.string(),
            }),
          ]),
        ),
      }),
    },
  },
  problems: [],
});
