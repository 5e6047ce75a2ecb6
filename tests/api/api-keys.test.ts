import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fullPath, SCOPES, type RouteDescriptor, type Scope } from '../../src/contract/route.contract.js';
import { ROUTES } from '../../src/contract/routes.js';
import type { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildUser, type TestUser } from '../support/build.js';
import { LiveSocket } from '../support/live-socket.js';
import { expectProblem } from '../support/problems.js';

interface KeyView {
  id: string;
  name: string;
  prefix: string;
  last_used_at: string | null;
}

interface CreatedKey {
  key: string;
  api_key: KeyView;
}

const POLICY_VIOLATION = 1008;
const ID = '550e8400-e29b-41d4-a716-446655440000';

describe('API keys', () => {
  let app: App;
  let beside: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    beside = await startApp({ parts: ['http'], beside: app });
  });
  afterAll(async () => {
    await beside.stop();
    await app.stop();
  });

  const create = async (user: TestUser, scopes: readonly Scope[], more: object = {}): Promise<CreatedKey> => {
    const { status, body } = await user.api.post<CreatedKey>('/api/user/api-keys', { name: 'a key', scopes, ...more });
    expect(status, JSON.stringify(body)).toBe(201);
    return body;
  };
  const list = async (user: TestUser, query = '') =>
    (await user.api.get<{ api_keys: KeyView[]; nextCursor: string | null }>(`/api/user/api-keys${query}`)).body;

  it('stand for their user wherever a token does', async () => {
    const user = await buildUser(app);
    const { key } = await create(user, ['read', 'write']);
    expect(await app.client(key).credits()).toBe(100);
    expect((await beside.client(key).post('/api/dataset', { name: 'made with a key' })).status).toBe(201);
    const byMessage = await LiveSocket.follow(app, key);
    const byProtocol = await LiveSocket.connect(app, { protocols: ['infernode', `bearer.${key}`] });
    expect((await byProtocol.message('authenticated')).data.userId).toBe(user.id);
    for (const live of [byMessage, byProtocol]) live.cut();
  });

  it('are shown once, and kept as what nobody can call with', async () => {
    const user = await buildUser(app);
    const { key, api_key: view } = await create(user, ['read']);
    expect(key).toMatch(/^ink_[\w-]{43}$/);
    expect(key.startsWith(view.prefix)).toBe(true);
    expect(view).toMatchObject({ name: 'a key', scopes: ['read'], expires_at: null, last_used_at: null });
    expect(JSON.stringify(await list(user))).not.toContain(key);
    const rows = await app.sql<{ row: string }>('SELECT api_keys::text AS row FROM api_keys');
    for (const { row } of rows) expect(row).not.toContain(key.slice(view.prefix.length));
  });

  const call = (client: ApiClient, route: RouteDescriptor) =>
    client.request(route.method.toUpperCase(), fullPath(route).replaceAll(/\{\w+\}/g, ID));
  const guarded = ROUTES.filter(({ access }) => access !== 'none');
  const subsets: Scope[][] = [['read'], ['write'], ['admin'], ['read', 'write'], ['read', 'admin'], ['write', 'admin']];

  it.each(subsets.map((scopes) => [scopes.join(' and '), scopes] as const))(
    'with %s reach exactly the routes that these scopes name',
    async (_name, scopes) => {
      const admin = await buildAdmin(app);
      const { key } = await create(admin, scopes);
      for (const route of guarded) {
        const answer = await call(app.client(key), route);
        const name = `${route.method} ${route.path}`;
        const needed: Scope[] = [
          route.method === 'get' || route.method === 'head' ? 'read' : 'write',
          ...(route.access === 'admin' ? (['admin'] as const) : []),
        ];
        const lacking = needed.filter((scope) => !scopes.includes(scope));
        if (route.access === 'session') expectProblem(answer, 'session-required');
        else if (lacking.length > 0 && route.method === 'head') expect(answer.status, name).toBe(403);
        else if (lacking.length > 0) {
          expectProblem(answer, 'insufficient-scope');
          expect(answer.headers.get('www-authenticate')).toBe(
            `Bearer realm="infernode", error="insufficient_scope", scope="${lacking[0]}"`,
          );
        } else expect([401, 403], `${name} answered ${answer.status}`).not.toContain(answer.status);
      }
    },
  );

  it('give nobody more rights than their user has', async () => {
    const user = await buildUser(app);
    const admin = await buildAdmin(app);
    expectProblem(await user.api.post('/api/user/api-keys', { name: 'x', scopes: ['admin'] }), 'forbidden');
    const { key } = await create(admin, [...SCOPES]);
    expect((await app.client(key).get('/api/admin/audit')).status).toBe(200);
    await app.sql(`UPDATE users SET role = 'user' WHERE id = $1`, [admin.id]);
    expectProblem(await app.client(key).get('/api/admin/audit'), 'forbidden');
  });

  it('need the scope "read" to follow events', async () => {
    const { key } = await create(await buildUser(app), ['write']);
    const live = await LiveSocket.connect(app);
    live.send({ type: 'authenticate', token: key });
    expect((await live.end()).code).toBe(POLICY_VIOLATION);
    expect(live.messages.at(-1)).toMatchObject({ type: 'error', code: 'insufficient-scope' });
  });

  it('are refused once they are deleted, on every process, and their WebSockets end', async () => {
    const user = await buildUser(app);
    const [gone, kept] = [await create(user, ['read']), await create(user, ['read'])];
    const [ending, staying] = [await LiveSocket.follow(beside, gone.key), await LiveSocket.follow(beside, kept.key)];
    const stranger = await buildUser(app);
    expectProblem(await stranger.api.delete(`/api/user/api-keys/${gone.api_key.id}`), 'not-found');
    expect((await user.api.delete(`/api/user/api-keys/${gone.api_key.id}`)).status).toBe(200);
    expectProblem(await beside.client(gone.key).get('/api/user/credits'), 'invalid-token');
    expect((await ending.end()).code).toBe(POLICY_VIOLATION);
    staying.send({ type: 'ping' });
    await staying.message('pong');
    staying.cut();
    expectProblem(await user.api.delete(`/api/user/api-keys/${gone.api_key.id}`), 'not-found');
    expect((await list(user)).api_keys.map(({ id }) => id)).toEqual([kept.api_key.id]);
  });

  it('outlive logouts, and end at their own time', async () => {
    const user = await buildUser(app);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const { key, api_key: view } = await create(user, ['read'], { expiresAt: later });
    expect(view).toMatchObject({ expires_at: later });
    await user.api.post('/api/auth/logout', { all: true });
    expect((await app.client(key).get('/api/user/credits')).status).toBe(200);
    await app.sql('UPDATE api_keys SET expires_at = now() WHERE id = $1', [view.id]);
    expectProblem(await app.client(key).get('/api/user/credits'), 'invalid-token');
  });

  it('note their use at most once a minute', async () => {
    const user = await buildUser(app);
    const { key } = await create(user, ['read']);
    const use = async () => {
      await Promise.all([1, 2, 3].map(() => app.client(key).credits()));
      return (await list(user)).api_keys[0].last_used_at;
    };
    const first = await use();
    expect(first).not.toBeNull();
    expect(await use()).toBe(first);
  });

  it('are listed page by page', async () => {
    const user = await buildUser(app);
    for (const name of ['one', 'two', 'three']) await create(user, ['read'], { name });
    const first = await list(user, '?limit=2');
    const second = await list(user, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.api_keys, ...second.api_keys].map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    expect(second.nextCursor).toBeNull();
  });

  it('are limited in number, also when many are made at once', async () => {
    const user = await buildUser(app);
    const answers = await Promise.all(
      Array.from({ length: 53 }, (_, index) =>
        (index % 2 === 0 ? app : beside)
          .client(user.token)
          .post('/api/user/api-keys', { name: `key ${index}`, scopes: ['read'] }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(50);
    for (const answer of answers.filter(({ status }) => status !== 201)) expectProblem(answer, 'limit-reached');
  });

  it.each([
    ['no name', { scopes: ['read'] }, 'name'],
    ['an empty name', { name: ' ', scopes: ['read'] }, 'name'],
    ['no scopes', { name: 'x', scopes: [] }, 'scopes'],
    ['an unknown scope', { name: 'x', scopes: ['root'] }, 'scopes.0'],
    ['a scope twice', { name: 'x', scopes: ['read', 'read'] }, 'scopes'],
    ['an end in the past', { name: 'x', scopes: ['read'], expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['an end that is no time', { name: 'x', scopes: ['read'], expiresAt: 'tomorrow' }, 'expiresAt'],
  ])('are not made with %s', async (_name, body, field) => {
    const { api } = await buildUser(app);
    expectProblem(await api.post('/api/user/api-keys', body), 'validation-failed', field);
  });

  it.each(['ink_', `ink_${'A'.repeat(43)}`, 'ink_x~y', `INK_${'A'.repeat(43)}`])('are not %s', async (key) => {
    expectProblem(await app.client(key).get('/api/user/credits'), 'invalid-token');
  });
});
