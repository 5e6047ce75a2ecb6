import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, PASSWORD, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

const BOARD = '/api/admin/queues';

/** As a browser sends a form of a page of this server. */
function submit(app: App, path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return app.client().request<string>('POST', path, {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: app.baseUrl, ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

const login = (app: App, email: string, password = PASSWORD) => submit(app, '/api/admin/login', { email, password });

/** Name and value, as it is sent back. */
function cookieOf(headers: Headers): string {
  return (headers.get('set-cookie') ?? '').split(';')[0];
}

describe('the login of administrators', () => {
  let app: App;
  let admin: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { TRUST_PROXY_HOPS: '1', AUTH_RATE_LIMIT: '5' } });
    admin = await buildAdmin(app);
  });
  afterAll(() => app.stop());

  it('is a page without scripts, that nobody else can frame', async () => {
    const page = await app.client().get<string>('/api/admin/login');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.body).toContain('autocomplete="current-password"');
    expect(page.body).not.toContain('<script');
  });

  it('gives a short-lived cookie that scripts and other sites never see, and leads to the queues', async () => {
    const answer = await login(app, admin.email.toUpperCase());
    expect([answer.status, answer.headers.get('location')]).toEqual([303, BOARD]);
    expect(answer.headers.get('set-cookie')).toMatch(
      /^infernode_admin=[\w.-]+; Max-Age=3600; Path=\/api\/admin; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
    );
    const behindTls = await submit(
      app,
      '/api/admin/login',
      { email: admin.email, password: PASSWORD },
      { 'X-Forwarded-Proto': 'https' },
    );
    expect(behindTls.headers.get('set-cookie')).toMatch(/; Secure;/);
  });

  it('keeps cookies and tokens apart: neither opens what the other does', async () => {
    const cookie = cookieOf((await login(app, admin.email)).headers);
    const token = cookie.slice(cookie.indexOf('=') + 1);
    expectProblem(await app.client(token).get('/api/user/credits'), 'invalid-token');
    expectProblem(await app.client(token).get(`${BOARD}/api/queues`), 'invalid-token');
    const withToken = { headers: { Cookie: `infernode_admin=${admin.token}` } };
    expectProblem(await app.client().get(`${BOARD}/api/queues`, withToken), 'authentication-required');
    // A cookie opens the console, not the API beside it.
    expectProblem(
      await app.client().get('/api/admin/audit', { headers: { Cookie: cookie } }),
      'authentication-required',
    );
  });

  it('ends at logout, with the session, with the role and with the account', async () => {
    const board = (cookie: string) => app.client().get(`${BOARD}/api/queues`, { headers: { Cookie: cookie } });
    const cookies = await Promise.all(
      Array.from({ length: 3 }, async () => cookieOf((await login(app, admin.email)).headers)),
    );
    for (const cookie of cookies) expect((await board(cookie)).status).toBe(200);
    const out = await submit(app, '/api/admin/logout', {}, { Cookie: cookies[0] });
    expect([out.status, out.headers.get('location')]).toEqual([303, '/api/admin/login']);
    expect(out.headers.get('set-cookie')).toMatch(/^infernode_admin=; Path=\/api\/admin; Expires=Thu, 01 Jan 1970/);
    expectProblem(await board(cookies[0]), 'authentication-required');
    expect((await board(cookies[1])).status).toBe(200);

    const all = await admin.api.post('/api/auth/logout', { all: true });
    expect(all.status).toBe(200);
    expectProblem(await board(cookies[1]), 'authentication-required');

    const last = cookieOf((await login(app, admin.email)).headers);
    expect((await board(last)).status).toBe(200);
    await app.sql(`UPDATE users SET role = 'user' WHERE id = $1`, [admin.id]);
    expectProblem(await board(last), 'authentication-required');
    await app.sql(`UPDATE users SET role = 'admin' WHERE id = $1`, [admin.id]);
  });

  it('shows who is logged in, with everything that came from outside escaped', async () => {
    const email = `"<i>"@${admin.email.split('@')[1]}`;
    const page = await submit(app, '/api/admin/login', { email, password: 'wrong' });
    expect(page.status).toBe(401);
    expect(page.body).not.toContain('<i>');
    expect(page.body).toContain('&lt;i&gt;');
    const cookie = cookieOf((await login(app, admin.email)).headers);
    const own = await app.client().get<string>('/api/admin/login', { headers: { Cookie: cookie } });
    expect(own.body).toContain(`Logged in as ${admin.email}`);
  });

  it('refuses users, wrong passwords, empty and odd forms, and forms of other origins', async () => {
    const user = await buildUser(app);
    const refused = await login(app, user.email);
    expect([refused.status, refused.headers.get('set-cookie')]).toEqual([403, null]);
    expect((await login(app, admin.email, 'wrong')).status).toBe(401);
    expect((await submit(app, '/api/admin/login', {})).status).toBe(422);
    expectProblem(await app.client().post('/api/admin/login', { email: admin.email }), 'unsupported-media-type');
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, 'x']));
    expectProblem(await submit(app, '/api/admin/login', many), 'malformed-request');
    for (const headers of [
      { Origin: 'https://elsewhere.example' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
    ] as Record<string, string>[]) {
      const answer = await submit(app, '/api/admin/login', { email: admin.email, password: PASSWORD }, headers);
      expectProblem(answer, 'forbidden');
    }
  });

  it('is locked by the same failures as the login of the API', async () => {
    const other = await buildAdmin(app);
    const from = { 'X-Forwarded-For': '198.51.100.7' };
    const wrong = { email: other.email, password: 'wrong' };
    for (let attempt = 0; attempt < 5; attempt++) {
      expect((await submit(app, '/api/admin/login', wrong, from)).status).toBe(401);
    }
    const locked = await submit(app, '/api/admin/login', { email: other.email, password: PASSWORD }, from);
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
    const api = await app.client().request('POST', '/api/auth/login', {
      json: { email: other.email, password: PASSWORD },
      headers: from,
    });
    expectProblem(api, 'too-many-requests');
  });

  it('knows its methods', async () => {
    const answer = await app.client().request('DELETE', '/api/admin/login');
    expectProblem(answer, 'method-not-allowed');
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
    expect((await app.client().request('OPTIONS', '/api/admin/logout')).headers.get('allow')).toBe('POST, OPTIONS');
    expect((await app.client().request('HEAD', '/api/admin/login')).status).toBe(200);
  });
});

interface BoardQueues {
  queues: { name: string; readOnlyMode: boolean; counts: Record<string, number>; jobs: { id: string }[] }[];
}

describe('D1.19 D2.14 Bull Board, on whatever the queue is on', () => {
  let app: App;
  let admin: TestUser;
  let cookie: string;
  beforeAll(async () => {
    // Nobody works: what is queued stays queued.
    app = await startApp({ parts: ['http'] });
    admin = await buildAdmin(app);
    cookie = cookieOf((await login(app, admin.email)).headers);
  });
  afterAll(() => app.stop());

  it('shows the queues of all kinds of jobs, and what is in them', async () => {
    const job = await buildJob(app);
    const { body } = await admin.api.get<BoardQueues>(`${BOARD}/api/queues?activeQueue=inference&status=latest`);
    expect(body.queues.map(({ name }) => name)).toContain('inference');
    const queue = body.queues.find(({ name }) => name === 'inference');
    expect(queue?.jobs.map(({ id }) => id.split('.')[0])).toContain(job.id);
    expect(queue?.readOnlyMode).toBe(true);
    const stats = await admin.api.get(`${BOARD}/api/redis/stats`);
    expect(stats.status).toBe(200);
    expect(JSON.stringify(stats.body)).toContain(inject('redisUrl') === null ? 'postgres' : 'redis');
  });

  it('leads an anonymous browser to the login, tells a program that it needs a token, and users that it is not theirs', async () => {
    const page = await app.client().get(BOARD, { headers: { Accept: 'text/html,*/*' } });
    expect([page.status, page.headers.get('location')]).toEqual([302, '/api/admin/login']);
    const program = await app.client().get(`${BOARD}/api/queues`);
    expectProblem(program, 'authentication-required');
    expect(program.headers.get('www-authenticate')).toContain('Bearer');
    const user = await buildUser(app);
    expectProblem(await user.api.get(`${BOARD}/api/queues`), 'forbidden');
    const keyOf = async (owner: TestUser, scopes: string[]) => {
      const { body } = await owner.api.post<{ key: string }>('/api/user/api-keys', { name: scopes.join(' '), scopes });
      return app.client(body.key);
    };
    expectProblem(await (await keyOf(admin, ['read'])).get(`${BOARD}/api/queues`), 'insufficient-scope');
    expect((await (await keyOf(admin, ['read', 'admin'])).get(`${BOARD}/api/queues`)).status).toBe(200);
  });

  it('serves its page and files under a policy that keeps everything on this server', async () => {
    const headers = { Cookie: cookie };
    const page = await app.client().get<string>(BOARD, { headers });
    expect(page.status).toBe(200);
    expect(page.body).toContain('<base href="/api/admin/queues/"');
    expect(page.headers.get('x-powered-by')).toBeNull();
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain('https:');
    const script = /src="(static\/js\/main[^"]+)"/.exec(page.body)?.[1] ?? '';
    const file = await app.client().get<string>(`${BOARD}/${script}`, { headers });
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect((await app.client().get(`${BOARD}/${script}`)).status).toBe(401);
  });

  it('is one under the alias of the API too', async () => {
    for (const path of ['/queues/api/queues?page=1', '/login', '/logout']) {
      const answer = await app.client().get(`/api/v1/admin${path}`);
      expect([answer.status, answer.headers.get('location')]).toEqual([307, `/api/admin${path}`]);
    }
    expectProblem(await app.client().get('/api/v1/admin/audit'), 'authentication-required');
  });

  it('answers what goes wrong as the API does, and tells nothing of the database', async () => {
    expectProblem(await admin.api.get(`${BOARD}/api/queues/inference/%00`), 'not-found');
    expectProblem(await admin.api.get(`${BOARD}/api/queues/inference/%E0%A4%A`), 'malformed-request');
  });

  it('changes nothing while it is read-only, whoever asks', async () => {
    const pause = `${BOARD}/api/queues/inference/pause`;
    expectProblem(await admin.api.request('PUT', pause), 'forbidden');
    const headers = { Cookie: cookie, Origin: app.baseUrl };
    expectProblem(await app.client().request('PUT', pause, { headers }), 'forbidden');
  });
});

describe('a queue board that may change queues', () => {
  let app: App;
  let admin: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { QUEUE_BOARD_READ_ONLY: 'false' } });
    admin = await buildAdmin(app);
  });
  afterAll(() => app.stop());

  it('does so for pages of this server and for tokens, and writes down who did what', async () => {
    const cookie = cookieOf((await login(app, admin.email)).headers);
    const send = (what: string, headers: Record<string, string>) =>
      app.client().request('PUT', `${BOARD}/api/queues/inference/${what}`, { headers: { Cookie: cookie, ...headers } });
    expectProblem(await send('pause', {}), 'forbidden');
    expectProblem(await send('pause', { Origin: 'https://elsewhere.example' }), 'forbidden');
    expect((await send('pause', { Origin: app.baseUrl })).status).toBe(200);
    const { body } = await admin.api.get<{ queues: { isPaused: boolean }[] }>(`${BOARD}/api/queues`);
    expect(body.queues.some(({ isPaused }) => isPaused)).toBe(true);
    expect((await admin.api.request('PUT', `${BOARD}/api/queues/inference/resume`)).status).toBe(200);
    const broken = { headers: { 'Content-Type': 'application/json' }, body: '{' };
    expectProblem(await admin.api.request('POST', `${BOARD}/api/queues/inference/add`, broken), 'malformed-json');
    const audit = await app.sql(`SELECT action, target_id, detail FROM audit_entries WHERE actor_id = $1 ORDER BY id`, [
      admin.id,
    ]);
    expect(audit).toEqual([
      { action: 'queue.change', target_id: '/api/queues/inference/pause', detail: { method: 'PUT' } },
      { action: 'queue.change', target_id: '/api/queues/inference/resume', detail: { method: 'PUT' } },
    ]);
  });
});
