import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineRoute } from '../contract/route.contract.js';
import { silentLogger } from '../../tests/support/silent-logger.js';
import type { IdempotencyService } from '../modules/idempotency/idempotency.service.js';
import { Authenticator } from './authenticate.js';
import { corsPolicy } from './cors-policy.js';
import { mountRoutes } from './mount-routes.js';
import { problemHandler } from './problem-handler.js';
import { route, type Route } from './route-table.js';
import { trafficLimits } from './traffic-limits.js';

/** Routes without a key ask for none of it. */
const idempotency = {} as IdempotencyService;
const nobody = new Authenticator(() => Promise.reject(new Error('Nobody is expected here.')));

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(...routes: Route[]): Promise<string> {
  const app = express();
  const limits = trafficLimits({ perAddress: 0, perUser: 0, authenticator: nobody });
  app.use(
    mountRoutes(routes, {
      authenticator: nobody,
      idempotency,
      limits,
      cors: corsPolicy([]),
      before: new Map(),
      capabilities: new Map(),
    }),
  );
  app.use(problemHandler(silentLogger));
  server = createServer(app);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('mountRoutes', () => {
  const echoRoute = defineRoute({
    operationId: 'echo',
    method: 'get',
    path: '/echo',
    access: 'none',
    tag: 'Service',
    summary: 'Answer what was understood',
    request: {
      headers: z.object({
        'If-Match': z
          .string()
          .regex(/^"[^"]*"$/, 'Send an entity tag.')
          .optional(),
        Prefer: z.string().default('nothing'),
      }),
    },
    success: { status: 200, answer: { description: 'What was understood.', schema: z.looseObject({}) } },
    problems: [],
  });
  const echo = route(echoRoute, ({ headers }) => Promise.resolve({ body: { ...headers } }));

  it('hands over the headers that a route names, and no others', async () => {
    const base = await serve(echo);
    const answer = await fetch(`${base}/echo`, { headers: { 'if-match': '"7"', 'X-Other': 'ignored' } });
    expect(await answer.json()).toEqual({ 'If-Match': '"7"', Prefer: 'nothing' });
  });

  it('refuses a header that does not fit, by its name', async () => {
    const base = await serve(echo);
    const answer = await fetch(`${base}/echo`, { headers: { 'If-Match': 'seven' } });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ path: 'If-Match', message: 'Send an entity tag.' }] });
  });
});
