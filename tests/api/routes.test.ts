import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccessWatch, createHttpApp } from '../../src/composition/http.js';
import { PROBLEM_KINDS } from '../../src/contract/problem.contract.js';
import type { RouteDescriptor } from '../../src/contract/route.contract.js';
import { ROUTES } from '../../src/contract/routes.js';
import { expressPath } from '../../src/http/mount-routes.js';
import { startApp, type App } from '../support/app.js';
import { buildUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

/** The part of Express' router that tells what it serves. */
interface Layer {
  route?: { path: string; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
}

/** Pages for people, which are no part of the contract. */
const CONSOLE = ['get /login', 'post /login', 'post /logout'];
const ID = '550e8400-e29b-41d4-a716-446655440000';
const pathOf = ({ path }: RouteDescriptor): string => path.replaceAll(/\{\w+\}/g, ID);
const nameOf = ({ method, path }: RouteDescriptor): string => `${method.toUpperCase()} ${path}`;

describe('the routes of the API', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
  });
  afterAll(() => app.stop());

  it('serves exactly the routes of the contract, each under /api and its alias', () => {
    const { stack } = createHttpApp(app.container, createAccessWatch(app.container)).router as unknown as {
      stack: Layer[];
    };
    const expected = ROUTES.flatMap(({ method, path, outsideApi }) => {
      const route = `${method} ${expressPath(path)}`;
      return outsideApi === true ? [route] : [route, route];
    });
    expect(servedBy(stack)).toEqual([...expected, ...CONSOLE, 'get /'].sort());
  });

  it('documents exactly the routes of the contract', async () => {
    const { body } = await app.client().get<{ paths: Record<string, object> }>('/api/openapi.json');
    const documented = Object.entries(body.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual(ROUTES.map(nameOf).sort());
  });

  it('documents every problem with its status, and the token where one is needed', async () => {
    interface Operation {
      operationId: string;
      responses: Record<string, { description: string }>;
      security: unknown[];
    }
    const { body } = await app.client().get<{ paths: Record<string, Record<string, Operation>> }>('/api/openapi.json');
    for (const route of ROUTES) {
      const operation = body.paths[route.path][route.method];
      expect(operation.operationId).toBe(route.operationId);
      expect(operation.security.length > 0, nameOf(route)).toBe(route.access !== 'none');
      for (const code of route.problems) {
        expect(operation.responses[PROBLEM_KINDS[code].status].description).toContain(code);
      }
    }
  });

  const guarded = ROUTES.filter(({ access }) => access !== 'none');

  it.each(guarded.map((route) => [nameOf(route), route] as const))('%s needs a token', async (_name, route) => {
    for (const prefix of ['/api', '/api/v1']) {
      const none = await app.client().request(route.method.toUpperCase(), `${prefix}${pathOf(route)}`);
      expect(none.headers.get('www-authenticate')).toContain('Bearer');
      const wrong = await app.client('not.a.token').request(route.method.toUpperCase(), `${prefix}${pathOf(route)}`);
      expect([none.status, wrong.status]).toEqual([401, 401]);
      // An answer to HEAD has no body to tell more in.
      if (route.method === 'head') continue;
      expectProblem(none, 'authentication-required');
      expectProblem(wrong, 'invalid-token');
    }
  });

  it('keeps what is for administrators from users', async () => {
    const { api } = await buildUser(app);
    for (const route of ROUTES.filter(({ access }) => access === 'admin')) {
      expectProblem(await api.request(route.method.toUpperCase(), `/api${pathOf(route)}`), 'forbidden');
    }
  });

  it.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', 'Bearer "quoted"', 'bearer'])(
    'refuses the Authorization header %j',
    async (header) => {
      const answer = await app.client().get('/api/user/credits', { headers: { Authorization: header } });
      expectProblem(answer, 'invalid-token');
    },
  );

  it('says of every POST what becomes of a request that arrives twice', async () => {
    interface Operation {
      parameters?: { name: string; in: string }[];
      responses: Record<string, { headers?: Record<string, unknown> }>;
    }
    const { body } = await app.client().get<{ paths: Record<string, Record<string, Operation>> }>('/api/openapi.json');
    for (const route of ROUTES) {
      const { parameters = [], responses } = body.paths[route.path][route.method];
      const takesKey = route.idempotency === 'key';
      expect(
        parameters.some((parameter) => parameter.in === 'header' && parameter.name === 'Idempotency-Key'),
        nameOf(route),
      ).toBe(takesKey);
      expect(responses[route.success.status].headers?.['Idempotency-Replayed'] !== undefined).toBe(takesKey);
      // Keys belong to users.
      if (takesKey) expect(route.access, nameOf(route)).not.toBe('none');
      if (route.method === 'post' && route.idempotency !== 'key') {
        expect(route.idempotency.without.length, nameOf(route)).toBeGreaterThan(20);
      }
    }
  });

  it('answers unknown addresses with a problem', async () => {
    for (const path of ['/api/nothing', '/nothing', '/api/v2/health', '/api/Health', '/api/dataset/a/b/c']) {
      const answer = await app.client().get(path);
      expectProblem(answer, 'route-not-found');
      expect(answer.body).toMatchObject({ instance: path });
    }
  });

  it('answers an address that cannot be decoded with 400', async () => {
    const { api } = await buildUser(app);
    expectProblem(await api.get('/api/dataset/%E0%A4%A'), 'malformed-request');
  });

  it('names the methods of a path that has others', async () => {
    const answer = await app.client().request('PATCH', `/api/dataset/${ID}`);
    expectProblem(answer, 'method-not-allowed');
    expect(answer.headers.get('allow')).toBe('GET, PUT, DELETE, HEAD, OPTIONS');
    expectProblem(await app.client().request('DELETE', '/api/v1/auth/login'), 'method-not-allowed');
  });

  it('answers HEAD like GET without a body, and OPTIONS with the methods', async () => {
    const head = await app.client().request('HEAD', '/api/health');
    expect([head.status, head.body]).toEqual([200, '']);
    const options = await app.client().request('OPTIONS', '/api/dataset');
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
  });

  it('leads people from the root to the docs', async () => {
    const root = await app.client().get('/');
    expect([root.status, root.headers.get('location')]).toEqual([302, '/api/docs']);
    const page = await app.client().get<string>('/api/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const script = await app.client().get<string>('/api/docs/swagger-ui-bundle.js');
    expect(script.status).toBe(200);
    expect(script.headers.get('content-type')).toContain('javascript');
  });

  it('gives every answer the id of its request, the client’s own where it sends a sane one', async () => {
    const own = await app.client().get('/api/nothing', { headers: { 'X-Request-Id': 'trace-1' } });
    expect(own.headers.get('x-request-id')).toBe('trace-1');
    expect(own.body).toMatchObject({ requestId: 'trace-1' });
    const odd = await app.client().get('/api/health', { headers: { 'X-Request-Id': 'a b"c' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is healthy while its database answers', async () => {
    const { status, body } = await app.client().get('/api/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'Server is working!' });
  });
});

/** Every method and path, the mounted routers’ included; those that only tell of methods or refuse them are left out. */
function servedBy(stack: readonly Layer[]): string[] {
  return stack
    .flatMap(({ route, handle }) => {
      if (route === undefined) return servedBy(handle.stack ?? []);
      const methods = Object.keys(route.methods).filter((method) => !['_all', 'options'].includes(method));
      return methods.map((method) => `${method} ${route.path}`);
    })
    .sort();
}
