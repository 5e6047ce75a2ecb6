import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildUser, PASSWORD } from '../support/build.js';
import { LiveSocket } from '../support/live-socket.js';
import { expectProblem } from '../support/problems.js';

interface Tokens {
  token: string;
  refreshToken: string;
  expiresIn: number;
}

interface SessionView {
  id: string;
  current: boolean;
  user_agent: string | null;
  address: string | null;
}

const POLICY_VIOLATION = 1008;

describe('sessions', () => {
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

  const login = async (email: string): Promise<Tokens> => {
    const { status, body } = await app.client().post<Tokens>('/api/auth/login', { email, password: PASSWORD });
    expect(status).toBe(200);
    return body;
  };
  const refresh = (refreshToken: string, on = app) => on.client().post<Tokens>('/api/auth/refresh', { refreshToken });
  const works = async (token: string, on = app): Promise<boolean> => {
    const { status } = await on.client(token).get('/api/user/credits');
    expect([200, 401]).toContain(status);
    return status === 200;
  };
  /** As if so much time had gone by since the last rotation. */
  const laterBy = (interval: string) =>
    app.sql(`UPDATE sessions SET rotated_at = rotated_at - $1::interval WHERE rotated_at IS NOT NULL`, [interval]);

  it('go on with each refresh, whose token is new every time', async () => {
    const { email } = await buildUser(app);
    const first = await login(email);
    const second = await refresh(first.refreshToken);
    expect(second.status).toBe(200);
    expect(second.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(second.body).sort()).toEqual(['expiresIn', 'refreshToken', 'token']);
    expect(second.body.refreshToken).not.toBe(first.refreshToken);
    const third = await refresh(second.body.refreshToken, beside);
    expect(third.status).toBe(200);
    for (const { token } of [first, second.body, third.body]) expect(await works(token)).toBe(true);
  });

  it('keep of refresh tokens what nobody can log in with', async () => {
    const { email } = await buildUser(app);
    const { refreshToken } = await login(email);
    const rows = await app.sql<{ row: string }>('SELECT sessions::text AS row FROM sessions');
    const [family, secret] = [refreshToken.slice(4, 26), refreshToken.slice(26)];
    for (const { row } of rows) for (const part of [family, secret]) expect(row).not.toContain(part);
  });

  it('end with all their tokens when a spent one comes back, whoever sends it', async () => {
    const { email } = await buildUser(app);
    const other = await login(email);
    const stolen = await login(email);
    const thief = await refresh(stolen.refreshToken, beside);
    await laterBy('11 seconds');
    expectProblem(await refresh(stolen.refreshToken), 'invalid-token');
    expectProblem(await refresh(thief.body.refreshToken, beside), 'invalid-token');
    expect(await works(stolen.token)).toBe(false);
    expect(await works(thief.body.token, beside)).toBe(false);
    expect(await works(other.token)).toBe(true);
    expect((await refresh(other.refreshToken)).status).toBe(200);
    const reasons = await app.sql('SELECT end_reason FROM sessions WHERE end_reason IS NOT NULL');
    expect(reasons).toContainEqual({ end_reason: 'token-reused' });
  });

  it('end also when a token comes back that was spent before the last one', async () => {
    const { email } = await buildUser(app);
    const first = await login(email);
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.body.refreshToken);
    expectProblem(await refresh(first.refreshToken), 'invalid-token');
    expect(await works(third.body.token)).toBe(false);
  });

  it('survive two refreshes at once, on two processes: one wins, the other is told, nobody is logged out', async () => {
    const { email } = await buildUser(app);
    const { refreshToken } = await login(email);
    const answers = await Promise.all([app, beside, app, beside].map((on) => refresh(refreshToken, on)));
    const won = answers.filter(({ status }) => status === 200);
    const lost = answers.filter(({ status }) => status !== 200);
    expect(won).toHaveLength(1);
    for (const answer of lost) expectProblem(answer, 'refresh-token-spent');
    expect(await works(won[0].body.token)).toBe(true);
    expect((await refresh(won[0].body.refreshToken)).status).toBe(200);
  });

  it('know access tokens, refresh tokens and API keys apart', async () => {
    const user = await buildUser(app);
    const { token, refreshToken } = await login(user.email);
    const { body } = await user.api.post<{ key: string }>('/api/user/api-keys', { name: 'x', scopes: ['read'] });
    for (const wrong of [token, body.key, 'x', `inr_${'A'.repeat(65)}`]) {
      expectProblem(await refresh(wrong), 'invalid-token');
    }
    expectProblem(await app.client(refreshToken).get('/api/user/credits'), 'invalid-token');
    const live = await LiveSocket.connect(app);
    live.send({ type: 'authenticate', token: refreshToken });
    expect((await live.end()).code).toBe(POLICY_VIOLATION);
  });

  it('are not taken from the address', async () => {
    const { token } = await login((await buildUser(app)).email);
    for (const name of ['token', 'access_token', 'api_key']) {
      const answer = await app.client().get(`/api/user/credits?${name}=${token}`);
      expectProblem(answer, 'authentication-required');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="infernode"');
    }
    const wrong = await app.client('wrong').get('/api/user/credits');
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer realm="infernode", error="invalid_token"');
  });

  it('end with a logout, the others only if asked for', async () => {
    const { email } = await buildUser(app);
    const [first, second, third] = [await login(email), await login(email), await login(email)];
    expect((await app.client(first.token).post('/api/auth/logout')).status).toBe(200);
    expect(await works(first.token, beside)).toBe(false);
    expectProblem(await refresh(first.refreshToken), 'invalid-token');
    expect(await works(second.token)).toBe(true);
    expect((await app.client(second.token).post('/api/auth/logout', { all: true })).status).toBe(200);
    for (const { token, refreshToken } of [second, third]) {
      expect(await works(token)).toBe(false);
      expectProblem(await refresh(refreshToken), 'invalid-token');
    }
  });

  it('close their WebSockets when they end, on every process', async () => {
    const { email } = await buildUser(app);
    const [first, second] = [await login(email), await login(email)];
    const mine = await LiveSocket.follow(beside, first.token);
    const other = await LiveSocket.follow(beside, second.token);
    await app.client(first.token).post('/api/auth/logout');
    expect((await mine.end()).code).toBe(POLICY_VIOLATION);
    other.send({ type: 'ping' });
    await other.message('pong');
    expect(other.closed).toBeNull();
    other.cut();
  });

  it('close their WebSockets also when they make room for a new login', async () => {
    const { email } = await buildUser(app);
    const oldest = await login(email);
    const socket = await LiveSocket.follow(beside, oldest.token);
    const { sid } = jwt.decode(oldest.token, { json: true }) as { sid: string };
    await app.sql(
      `INSERT INTO sessions (id, user_id, family_hash, secret_hash, network, expires_at, last_used_at)
       SELECT gen_random_uuid(), user_id, rpad(n || md5(id::text), 43, '-'), secret_hash, network, expires_at,
              last_used_at + interval '1 second'
       FROM sessions, generate_series(1, 99) n WHERE id = $1`,
      [sid],
    );
    await login(email);
    expect((await socket.end()).code).toBe(POLICY_VIOLATION);
    expect(await works(oldest.token)).toBe(false);
  });

  it('are listed for their user, newest first and page by page, and ended one by one', async () => {
    const user = await buildUser(app);
    const stranger = await buildUser(app);
    const { token } = await login(user.email);
    type List = { sessions: SessionView[]; nextCursor: string | null };
    const first = await app.client(token).get<List>('/api/user/sessions?limit=1');
    expect(first.body.sessions).toEqual([
      {
        id: expect.any(String),
        current: true,
        created_at: expect.any(String),
        last_used_at: expect.any(String),
        expires_at: expect.any(String),
        address: '127.0.0.1',
        user_agent: 'node',
      },
    ]);
    const rest = await app.client(token).get<List>(`/api/user/sessions?cursor=${first.body.nextCursor}`);
    expect(rest.body).toMatchObject({ sessions: [{ current: false }], nextCursor: null });
    const [{ id }] = rest.body.sessions;
    expectProblem(await stranger.api.delete(`/api/user/sessions/${id}`), 'not-found');
    expect((await app.client(token).delete(`/api/user/sessions/${id}`)).status).toBe(200);
    expect(await works(user.token)).toBe(false);
    expectProblem(await app.client(token).delete(`/api/user/sessions/${id}`), 'not-found');
    expectProblem(await app.client(token).get('/api/user/sessions?cursor=nonsense'), 'validation-failed', 'cursor');
  });

  it('of others end with a change of the password, one’s own goes on', async () => {
    const { email } = await buildUser(app);
    const [mine, other] = [await login(email), await login(email)];
    const change = (currentPassword: string, newPassword: string) =>
      app.client(mine.token).post('/api/auth/password', { currentPassword, newPassword });
    expectProblem(await change('not the password', 'another password'), 'validation-failed', 'currentPassword');
    expectProblem(await change(PASSWORD, 'short'), 'validation-failed', 'newPassword');
    const { status, body } = await change(PASSWORD, 'another password');
    expect([status, body]).toEqual([200, { message: 'Password changed' }]);
    expect(await works(mine.token)).toBe(true);
    expect(await works(other.token)).toBe(false);
    const relog = (password: string) => app.client().post('/api/auth/login', { email, password });
    expectProblem(await relog(PASSWORD), 'invalid-credentials');
    expect((await relog('another password')).status).toBe(200);
  });

  it('change a password once, of two changes at once', async () => {
    const { email } = await buildUser(app);
    const [one, two] = [await login(email), await login(email)];
    const change = (token: string, newPassword: string, on: App) =>
      on.client(token).post('/api/auth/password', { currentPassword: PASSWORD, newPassword });
    const answers = await Promise.all([
      change(one.token, 'the first password', app),
      change(two.token, 'the second password', beside),
    ]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const alive = await Promise.all([one, two].map(({ token }) => works(token)));
    expect(alive).toEqual(answers.map(({ status }) => status === 200));
  });

  it('end by themselves, first for want of use, and give tokens that do not outlive them', async () => {
    const settings = { REFRESH_EXPIRATION: '1h', SESSION_EXPIRATION: '90m', JWT_EXPIRATION: '2h' };
    const short = await startApp({ parts: ['http'], beside: app, settings });
    try {
      const { email } = await buildUser(short);
      const { body } = await short.client().post<Tokens>('/api/auth/login', { email, password: PASSWORD });
      expect(body.expiresIn).toBeGreaterThan(3590);
      expect(body.expiresIn).toBeLessThanOrEqual(3600);
      const { exp, iat, sid } = jwt.decode(body.token, { json: true })! as { exp: number; iat: number; sid: string };
      expect(exp - iat).toBe(body.expiresIn);
      await short.sql(`UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE id = $1`, [sid]);
      const next = await refresh(body.refreshToken, short);
      expect(next.body.expiresIn).toBeLessThanOrEqual(1800);
      await short.sql('UPDATE sessions SET expires_at = now() WHERE id = $1', [sid]);
      expect(await works(next.body.token, short)).toBe(false);
      expectProblem(await refresh(next.body.refreshToken, short), 'invalid-token');
    } finally {
      await short.stop();
    }
  });

  it('note their use at most once a minute', async () => {
    const { token } = await login((await buildUser(app)).email);
    const { sid } = jwt.decode(token, { json: true }) as { sid: string };
    const lastUse = async () =>
      (await app.sql<{ at: Date }>('SELECT last_used_at AS at FROM sessions WHERE id = $1', [sid]))[0].at.getTime();
    const before = await lastUse();
    await works(token);
    expect(await lastUse()).toBe(before);
    await app.sql(`UPDATE sessions SET last_used_at = now() - interval '2 minutes' WHERE id = $1`, [sid]);
    await works(token);
    expect(await lastUse()).toBeGreaterThanOrEqual(before);
  });

  it('are removed when they have been dead for long, and so are old counts, while the living stay', async () => {
    const { email } = await buildUser(app);
    const [living, dead] = [await login(email), await login(email)];
    await app.client(dead.token).post('/api/auth/logout');
    const { sid } = jwt.decode(dead.token, { json: true }) as { sid: string };
    await app.sql(`UPDATE sessions SET ended_at = now() - interval '31 days' WHERE id = $1`, [sid]);
    await app.sql(`INSERT INTO login_attempts (subject, failures, counted_since)
                   SELECT rpad(n::text, 43, '-'), 1, now() - interval '2 days' FROM generate_series(1, 600) n`);
    const { sessions } = app.container.services;
    await Promise.all([sessions.removeDead(), beside.container.services.sessions.removeDead()]);
    expect(await app.sql('SELECT 1 FROM sessions WHERE id = $1', [sid])).toEqual([]);
    expect(await app.sql(`SELECT 1 FROM login_attempts WHERE subject LIKE '%-'`)).toEqual([]);
    expect(await works(living.token)).toBe(true);
  });
});
