import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, PASSWORD, type TestUser } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { LiveSocket } from '../support/live-socket.js';
import { expectProblem } from '../support/problems.js';

interface UserView {
  id: string;
  email: string;
  role: string;
  disabled_at: string | null;
}

interface List {
  users: UserView[];
  nextCursor: string | null;
}

const POLICY_VIOLATION = 1008;

describe('accounts in the hands of administrators', () => {
  let app: App;
  let beside: App;
  let admin: TestUser;
  beforeAll(async () => {
    app = await startApp();
    beside = await startApp({ parts: ['http'], beside: app });
    admin = await buildAdmin(app);
  });
  afterAll(async () => {
    await beside.stop();
    await app.stop();
  });

  const update = (id: string, change: unknown, by = admin) =>
    by.api.put<{ user: UserView }>(`/api/admin/users/${id}`, change);
  const login = (email: string) =>
    app.client().post<{ token: string; refreshToken: string }>('/api/auth/login', { email, password: PASSWORD });
  const audited = async (id: string) =>
    (await admin.api.get<{ entries: { action: string; actor: { id: string } }[] }>(`/api/admin/audit?target=${id}`))
      .body.entries;

  it('shows every user their own account', async () => {
    const { api, id, email } = await buildUser(app);
    const { status, body } = await api.get('/api/user');
    expect([status, body]).toEqual([
      200,
      { user: { id, email, role: 'user', credit: 100, created_at: expect.any(String) } },
    ]);
  });

  it('D2.2 are nothing for users', async () => {
    const { api, id } = await buildUser(app);
    expectProblem(await api.get('/api/admin/users'), 'forbidden');
    expectProblem(await api.put(`/api/admin/users/${id}`, { role: 'admin' }), 'forbidden');
  });

  it('D2.3 show no password and no hash', async () => {
    const { id } = await buildUser(app);
    const [{ hash }] = await app.sql<{ hash: string }>('SELECT password_hash AS hash FROM users WHERE id = $1', [id]);
    expect(hash).toMatch(/^\$2b\$/);
    const { body } = await admin.api.get('/api/admin/users');
    expect(JSON.stringify(body)).not.toMatch(/\$2[aby]\$|hash/);
  });

  it('are listed page by page, by the beginning of the address, role and status', async () => {
    const name = `list-${Date.now()}`;
    const users: TestUser[] = [];
    for (const suffix of ['a', 'b', 'c_d', 'cpd'])
      users.push(await buildUser(app, { email: `${name}.${suffix}@example.com` }));
    await update(users[1].id, { disabled: true });
    await update(users[2].id, { role: 'admin' });
    const list = async (query: string) =>
      (await admin.api.get<List>(`/api/admin/users?email=${encodeURIComponent(`${name}.`)}${query}`)).body;
    const ids = ({ users: page }: List): string[] => page.map(({ id }) => id);
    const first = await list('&limit=3');
    const second = await list(`&limit=3&cursor=${first.nextCursor}`);
    expect([...ids(first), ...ids(second)]).toEqual(users.map(({ id }) => id));
    expect(second.nextCursor).toBeNull();
    expect(ids(await list('&status=disabled'))).toEqual([users[1].id]);
    expect(ids(await list('&status=active&role=admin'))).toEqual([users[2].id]);
    expect(ids(await list('&role=user'))).toEqual([users[0].id, users[1].id, users[3].id]);
    const beginning = async (text: string) =>
      ids((await admin.api.get<List>(`/api/admin/users?email=${encodeURIComponent(text)}`)).body);
    expect(await beginning(`${name}.c_`.toUpperCase())).toEqual([users[2].id]);
    expect(await beginning(`${name}%`)).toEqual([]);
    expectProblem(await admin.api.get('/api/admin/users?status=gone'), 'validation-failed', 'status');
    expectProblem(await admin.api.get('/api/admin/users?email=%00'), 'validation-failed', 'email');
  });

  it('are disabled at once, everywhere: login, tokens, keys and WebSockets', async () => {
    const user = await buildUser(app);
    const { refreshToken } = (await login(user.email)).body;
    const created = await user.api.post<{ key: string }>('/api/user/api-keys', { name: 'x', scopes: ['read'] });
    const { key } = created.body;
    const bySession = await LiveSocket.follow(beside, user.token);
    const byKey = await LiveSocket.follow(beside, key);

    const { status, body } = await update(user.id, { disabled: true });
    expect([status, body.user.disabled_at]).toEqual([200, expect.any(String)]);
    for (const token of [user.token, key]) {
      expectProblem(await beside.client(token).get('/api/user/credits'), 'invalid-token');
    }
    expectProblem(await app.client().post('/api/auth/refresh', { refreshToken }), 'invalid-token');
    for (const live of [bySession, byKey]) expect((await live.end()).code).toBe(POLICY_VIOLATION);
    const refused = await app.client().request('POST', '/api/auth/login', {
      json: { email: user.email, password: PASSWORD },
      headers: { 'X-Request-Id': 'same' },
    });
    const unknown = await app.client().request('POST', '/api/auth/login', {
      json: { email: 'nobody@example.com', password: PASSWORD },
      headers: { 'X-Request-Id': 'same' },
    });
    expectProblem(refused, 'invalid-credentials');
    expect(refused.body).toEqual(unknown.body);

    expect((await update(user.id, { disabled: false })).body.user.disabled_at).toBeNull();
    expectProblem(await app.client(user.token).get('/api/user/credits'), 'invalid-token');
    expect((await app.client(key).get('/api/user/credits')).status).toBe(200);
    expect((await login(user.email)).status).toBe(200);
  });

  it('leave the jobs of a disabled user to their end, as they are paid for', async () => {
    const job = await buildJob(app);
    await update(job.user.id, { disabled: true });
    await update(job.user.id, { disabled: false });
    const ended = await jobEnd(app, job);
    expect(ended.status).toBe('COMPLETED');
    await expectLedgersToBalance(app);
  });

  it('are changed with an entry in the audit log, once', async () => {
    const user = await buildUser(app);
    await update(user.id, { role: 'admin', disabled: true });
    const again = await update(user.id, { role: 'admin', disabled: true });
    expect(again.status).toBe(200);
    await update(user.id, { role: 'user', disabled: false });
    const entries = await audited(user.id);
    expect(entries.map(({ action }) => action).sort()).toEqual([
      'user.change-role',
      'user.change-role',
      'user.disable',
      'user.enable',
    ]);
    expect(new Set(entries.map(({ actor }) => actor.id))).toEqual(new Set([admin.id]));
  });

  it('give a new administrator the role at once, and take it at once', async () => {
    const user = await buildUser(app);
    await update(user.id, { role: 'admin' });
    expect((await user.api.get('/api/admin/users?limit=1')).status).toBe(200);
    await update(user.id, { role: 'user' });
    expectProblem(await user.api.get('/api/admin/users?limit=1'), 'forbidden');
  });

  it.each([
    ['nothing', {}, ''],
    ['an unknown role', { role: 'root' }, 'role'],
    ['a balance', { credit: 5 }, 'credit'],
  ])('refuse to change %s', async (_name, change, field) => {
    expectProblem(await update((await buildUser(app)).id, change), 'validation-failed', field);
  });

  it('know no user of an id that is nobody’s', async () => {
    expectProblem(await update('550e8400-e29b-41d4-a716-446655440000', { disabled: true }), 'not-found');
    expectProblem(await update('none', { disabled: true }), 'not-found');
  });
});

describe('the last administrator', () => {
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

  const onlyAdmins = async (...admins: TestUser[]): Promise<void> => {
    await app.sql(`UPDATE users SET role = 'user' WHERE NOT id = ANY ($1)`, [admins.map(({ id }) => id)]);
  };

  it.each([{ role: 'user' }, { disabled: true }])('stays, whoever asks: %j', async (change) => {
    const [last, disabled] = [await buildAdmin(app), await buildAdmin(app)];
    await onlyAdmins(last, disabled);
    expect((await last.api.put(`/api/admin/users/${disabled.id}`, { disabled: true })).status).toBe(200);
    expectProblem(await last.api.put(`/api/admin/users/${last.id}`, change), 'last-administrator');
    expect((await last.api.get('/api/admin/users')).status).toBe(200);
    expect((await last.api.put(`/api/admin/users/${disabled.id}`, { role: 'user' })).status).toBe(200);
  });

  it('is one of two who disable each other at once, on two processes', async () => {
    for (const change of [{ disabled: true }, { role: 'user' }]) {
      const [one, two] = [await buildAdmin(app), await buildAdmin(app)];
      await onlyAdmins(one, two);
      const answers = await Promise.all([
        app.client(one.token).put(`/api/admin/users/${two.id}`, change),
        beside.client(two.token).put(`/api/admin/users/${one.id}`, change),
      ]);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const left = await app.sql(`SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL`);
      expect(left).toHaveLength(1);
    }
  });
});
