import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOpenApi } from '../../src/contract/openapi.js';
import type { RouteDescriptor } from '../../src/contract/route.contract.js';
import { ROUTES } from '../../src/contract/routes.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo } from '../support/build.js';

/** The account of every example. */
const EMAIL = 'user@example.com';
const PASSWORD = 'securepassword123';
const EXAMPLE_ID = '550e8400-e29b-41d4-a716-446655440000';

type Bodies = Record<string, { requestBody?: { content: Record<string, { example?: unknown } | undefined> } }>;
const paths = buildOpenApi('1.0.0').paths as unknown as Record<string, Bodies>;
const exampleOf = ({ path, method }: RouteDescriptor): unknown =>
  paths[path][method].requestBody?.content['application/json']?.example;

const withExample = ROUTES.filter((route) => exampleOf(route) !== undefined);

/** An example may go wrong for reasons of its own, never because it is not a valid request. */
describe('examples of the docs can be sent as they stand', () => {
  let app: App;
  let passwordHash: string;
  let datasetId: string;
  let jobId: string;
  let videoId: string;

  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    const user = await buildUser(app, { email: EMAIL, password: PASSWORD });
    const video = await buildVideo(app, { user });
    // As long as the one in the examples.
    await app.sql('UPDATE videos SET frame_count = 1500');
    datasetId = video.datasetId;
    videoId = video.id;
    jobId = (await buildJob(app, { video })).id;
    const [row] = await app.sql<{ password_hash: string }>('SELECT password_hash FROM users WHERE email = $1', [EMAIL]);
    passwordHash = row.password_hash;
  });
  afterAll(() => app.stop());

  it.each(withExample.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const))(
    '%s',
    async (_name, route) => {
      // Whatever the example before did to the account.
      await app.sql(`UPDATE users SET password_hash = $1, role = 'admin' WHERE email = $2`, [passwordHash, EMAIL]);
      const login = await app.client().post<{ token: string }>('/api/auth/login', { email: EMAIL, password: PASSWORD });
      const id = route.path.startsWith('/inference') ? jobId : datasetId;
      const json: unknown = JSON.parse(JSON.stringify(exampleOf(route)).replaceAll(EXAMPLE_ID, datasetId));

      const { status, body } = await app
        .client(login.body.token)
        .request<{ code?: string }>(
          route.method.toUpperCase(),
          `/api${route.path.replace('{videoId}', videoId).replace(/\{\w+\}/, id)}`,
          { json },
        );

      if (status < 400) expect([route.success.status, 202]).toContain(status);
      else expect([...route.problems, 'not-found'], JSON.stringify(body)).toContain(body.code);
      expect(body.code).not.toBe('validation-failed');
    },
  );
});
