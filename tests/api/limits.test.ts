import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { fullPath, type RouteDescriptor } from '../../src/contract/route.contract.js';
import { ROUTES } from '../../src/contract/routes.js';
import { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildUser, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

const pathOf = (route: RouteDescriptor): string =>
  fullPath(route).replaceAll(/\{\w+\}/g, '550e8400-e29b-41d4-a716-446655440000');
const PATHS = [...new Set(ROUTES.map(({ path }) => path))].map((path) => {
  const routes = ROUTES.filter((route) => route.path === path);
  const methods = routes.map(({ method }) => method.toUpperCase());
  const implied = methods.includes('GET') ? ['HEAD', 'OPTIONS'] : ['OPTIONS'];
  return { path: pathOf(routes[0]), allowed: [...new Set([...methods, ...implied])] };
});

/** What comes back for exactly these bytes, up to the end of the connection. */
function sendRaw(app: App, bytes: string): Promise<string> {
  const { hostname, port } = new URL(app.baseUrl);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 20_000 });
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.once('close', () => resolve(answer));
    socket.once('timeout', () => socket.destroy(new Error(`no end; so far: ${answer}`)));
    socket.once('error', reject);
    socket.write(bytes, 'latin1');
  });
}

describe('methods of every path', () => {
  let app: App;
  let user: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    user = await buildUser(app);
  });
  afterAll(() => app.stop());

  it.each(PATHS)('OPTIONS $path names its methods, to anybody', async ({ path, allowed }) => {
    const answer = await app.client().request('OPTIONS', path);
    expect([answer.status, answer.headers.get('allow'), answer.body]).toEqual([204, allowed.join(', '), '']);
  });

  it.each(PATHS)('$path refuses other methods with 405 and its own', async ({ path, allowed }) => {
    for (const method of ['PATCH', 'PUT', 'DELETE', 'POST', 'GET', 'PROPFIND', 'QUERY']) {
      if (allowed.includes(method)) continue;
      const answer = await user.api.request(method, path);
      expectProblem(answer, 'method-not-allowed');
      expect(answer.headers.get('allow')).toBe(allowed.join(', '));
    }
  });

  const readable = ROUTES.filter(({ method, path, success }) => {
    if (ROUTES.some((other) => other.method === 'head' && other.path === path)) return false;
    const streams = 'contentType' in success.answer && (success.answer.contentType as string) === 'text/event-stream';
    return method === 'get' && !streams;
  });

  it.each(readable.map((route) => [pathOf(route)]))('HEAD %s answers as GET does, without the body', async (path) => {
    const [get, head] = [await user.api.get(path), await user.api.request('HEAD', path)];
    expect(head.body).toBe('');
    expect(head.status).toBe(get.status);
    expect(comparable(head.headers)).toEqual(comparable(get.headers));
  });

  it('refuses TRACE and methods nobody knows, and ends a CONNECT', async () => {
    const head = 'Host: x\r\nConnection: close\r\n\r\n';
    expect(await sendRaw(app, `TRACE /api/health HTTP/1.1\r\n${head}`)).toMatch(/^HTTP\/1\.1 405 [^]*Allow: GET, HEAD/);
    expect(await sendRaw(app, `BREW /api/health HTTP/1.1\r\n${head}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await sendRaw(app, `CONNECT x:443 HTTP/1.1\r\n${head}`)).not.toMatch(/^HTTP\/1\.1 2/);
    expect(await sendRaw(app, `OPTIONS * HTTP/1.1\r\n${head}`)).toMatch(/^HTTP\/1\.1 (204|404) /);
  });

  it('understands an address in absolute form', async () => {
    const answer = await sendRaw(app, 'GET http://x/api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*Server is working!/);
  });

  it.each([
    ['two Host headers', 'Host: a\r\nHost: b\r\n'],
    ['no Host header', ''],
  ])('refuses %s with a problem', async (_what, hosts) => {
    const answer = await sendRaw(app, `GET /api/health HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*"code":"malformed-request"/);
  });

  it('refuses an expectation that it cannot meet', async () => {
    const answer = await sendRaw(app, 'GET /api/health HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 417 [^]*"code":"expectation-failed"/);
  });
});

/** What has to be the same on both; the rest is about the moment or the connection. */
function comparable(headers: Headers): Record<string, string> {
  const passing = ['date', 'x-request-id', 'connection', 'keep-alive', 'transfer-encoding'];
  return Object.fromEntries([...headers].filter(([name]) => !passing.includes(name)));
}

describe('what a request may weigh', () => {
  let app: App;
  let user: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    user = await buildUser(app);
  });
  afterAll(() => app.stop());

  it('has limits for the address and its parameters', async () => {
    expectProblem(await app.client().get(`/api/health?x=${'a'.repeat(9_000)}`), 'uri-too-long');
    expectProblem(await app.client().get(`/api/health?x=${'a'.repeat(3_000)}`), 'malformed-request');
    expectProblem(await app.client().get(`/api/health?${'x=1&'.repeat(101)}`), 'malformed-request');
  });

  it('has a limit for the number of headers', async () => {
    const headers = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`X-Number-${index}`, '1']));
    expectProblem(await app.client().get('/api/health', { headers }), 'headers-too-large');
  });

  it('has a limit for the depth of a body, and takes no prototype from one', async () => {
    const deep = (levels: number) => `{"name":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    const send = (body: string) =>
      user.api.request('POST', '/api/dataset', { headers: { 'Content-Type': 'application/json' }, body });
    expectProblem(await send(deep(40_000)), 'malformed-request');
    expectProblem(await send(deep(20)), 'validation-failed', 'name');
    expectProblem(await send('{"name":"a","__proto__":{"tags":["b"]}}'), 'validation-failed', '__proto__');
  });

  it('wants JSON where it takes JSON', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonp',
      'multipart/form-data',
    ]) {
      const headers = { 'Content-Type': type };
      expectProblem(
        await user.api.request('POST', '/api/dataset', { headers, body: '{"name":"a"}' }),
        'unsupported-media-type',
      );
    }
  });

  it('takes whatever a client says it accepts', async () => {
    const { status, headers } = await app.client().get('/api/health', { headers: { Accept: 'image/png' } });
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  });

  it.each(ROUTES.filter(({ access }) => access !== 'admin').map((route) => [route.operationId, route] as const))(
    '%s knows all its parameters, and says which it does not know',
    async (_name, route) => {
      for (const schema of [route.request?.query, route.request?.body, route.request?.multipart?.fields]) {
        const objects = schema instanceof z.ZodDiscriminatedUnion ? schema.options : [schema];
        for (const object of objects) if (object !== undefined) expect(object.def.catchall).toBeInstanceOf(z.ZodNever);
      }
      if (route.request?.multipart !== undefined || route.method !== 'get') return;
      const answer = await user.api.get(`${pathOf(route)}?nobody-knows=1`);
      if (answer.status !== 404) expectProblem(answer, 'validation-failed', 'nobody-knows');
    },
  );
});

describe('rate limits', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { RATE_LIMIT_PER_ADDRESS: '12', RATE_LIMIT_PER_USER: '5', TRUST_PROXY_HOPS: '1' },
    });
  });
  afterAll(() => app.stop());

  /** Each process counts for itself. */
  const oneProcess = (token?: string): ApiClient => new ApiClient(() => app.baseUrl, token);

  it('count the requests of an address, except those of watchdogs, and say when to come back', async () => {
    const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
    const client = oneProcess();
    const first = await client.get('/api/openapi.json', from('192.0.2.1'));
    expect(first.headers.get('ratelimit-policy')).toMatch(/^"address"; q=12; w=60/);
    expect(first.headers.get('ratelimit')).toMatch(/^"address"; r=11; t=\d+/);
    const rest = await Promise.all([
      client.get('/api/nothing', from('192.0.2.1')),
      client.post('/api/health'),
      ...Array.from({ length: 12 }, () => client.get('/api/docs', from('192.0.2.1'))),
    ]);
    expect(rest.filter(({ status }) => status === 429)).toHaveLength(2);
    const refused = await client.get('/api/nothing', from('192.0.2.1'));
    expectProblem(refused, 'too-many-requests');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await client.get('/api/health', from('192.0.2.1'))).status).toBe(200);
    expect((await client.get('/api/docs', from('192.0.2.2'))).status).toBe(200);
  });

  it('count handshakes of WebSockets for their address, before anything is known of who is there', async () => {
    const shake = (address: string) =>
      new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
        const socket = new WebSocket(`${app.baseUrl.replace('http', 'ws')}/ws`, {
          headers: { 'X-Forwarded-For': address },
        });
        socket.once('error', reject);
        socket.once('open', () => {
          socket.terminate();
          resolve({ status: 101, headers: {}, body: '' });
        });
        socket.once('unexpected-response', (_request, answer) => {
          const { statusCode: status = 0, headers } = answer;
          text(answer).then((body) => resolve({ status, headers, body }), reject);
        });
      });
    const answers = await Promise.all(Array.from({ length: 14 }, () => shake('192.0.2.77')));
    const refused = answers.filter(({ status }) => status !== 101);
    expect(refused.map(({ status }) => status)).toEqual([429, 429]);
    expect(JSON.parse(refused[0].body)).toMatchObject({ code: 'too-many-requests' });
    expect(Number(refused[0].headers['retry-after'])).toBeGreaterThan(0);
    expect((await shake('192.0.2.78')).status).toBe(101);
  });

  it('count bad tokens for the address, and good ones for the user wherever they come from', async () => {
    const user = await buildUser(app);
    const neighbour = await buildUser(app);
    const send = (token: string, address: string) =>
      oneProcess(token).get('/api/user/credits', { headers: { 'X-Forwarded-For': address } });
    const bad = await Promise.all(Array.from({ length: 15 }, () => send('not.a.token', '192.0.2.3')));
    expect(bad.filter(({ status }) => status === 401)).toHaveLength(12);
    for (const answer of bad.filter(({ status }) => status !== 401)) expectProblem(answer, 'too-many-requests');

    // The address is exhausted; who has a good token does not notice.
    const good = await Promise.all(Array.from({ length: 7 }, (_, index) => send(user.token, `192.0.2.${index + 3}`)));
    expect(good.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(good[0].headers.get('ratelimit-policy')).toMatch(/^"user"; q=5; w=60/);
    expect((await send(neighbour.token, '192.0.2.3')).status).toBe(200);
  });
});

describe('pages of other origins', () => {
  const ORIGIN = 'https://app.example';
  let app: App;
  let closed: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { CORS_ORIGINS: `${ORIGIN}, http://localhost:5173` } });
    closed = await startApp({ parts: ['http'] });
  });
  afterAll(async () => {
    await app.stop();
    await closed.stop();
  });

  const preflight = (origin: string) => ({
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'authorization,content-type',
    },
  });

  it.each(PATHS)('preflight of $path tells its methods', async ({ path, allowed }) => {
    const { status, headers } = await app.client().request('OPTIONS', path, preflight(ORIGIN));
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(headers.get('access-control-allow-methods')).toBe(allowed.join(','));
    expect(headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('vary')).toContain('Origin');
  });

  it('may read answers and problems, and the headers that tell something', async () => {
    for (const path of ['/api/health', '/api/nothing', '/api/user/credits']) {
      const { headers } = await app.client().get(path, { headers: { Origin: ORIGIN } });
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(headers.get('access-control-expose-headers')).toMatch(/Location.*RateLimit.*X-Request-Id/);
    }
  });

  it('may not when their origin is not configured', async () => {
    for (const [server, origin] of [
      [app, 'https://elsewhere.example'],
      [closed, ORIGIN],
    ] as const) {
      const { headers } = await server.client().get('/api/health', { headers: { Origin: origin } });
      expect(headers.get('access-control-allow-origin')).toBeNull();
      const asked = await server.client().request('OPTIONS', '/api/dataset', preflight(origin));
      expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('may open WebSockets under the same condition', async () => {
    const open = (server: App, origin: string) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${server.baseUrl.replace('http', 'ws')}/ws`, { origin });
        socket.once('error', (error) => resolve(error.message));
        socket.once('open', () => {
          socket.close();
          resolve('open');
        });
      });
    expect(await open(app, ORIGIN)).toBe('open');
    expect(await open(app, app.baseUrl)).toBe('open');
    expect(await open(app, 'https://elsewhere.example')).toContain('403');
    expect(await open(closed, ORIGIN)).toContain('403');
  });
});
