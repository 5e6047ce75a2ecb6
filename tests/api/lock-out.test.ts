import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildUser, PASSWORD, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

const SETTINGS = { AUTH_RATE_LIMIT: '3', TRUST_PROXY_HOPS: '1' };
const WRONG = 'not the password';

describe('the lock after failed logins', () => {
  let app: App;
  let beside: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: SETTINGS });
    beside = await startApp({ parts: ['http'], settings: SETTINGS, beside: app });
  });
  afterAll(async () => {
    await beside.stop();
    await app.stop();
  });

  /** From an address that the trusted proxy tells. */
  const login = (email: string, password: string, { from, on = app }: { from: string; on?: App }) =>
    on.client().request('POST', '/api/auth/login', {
      json: { email, password },
      headers: { 'X-Forwarded-For': from, 'X-Request-Id': 'login' },
    });
  const fail = async (email: string, times: number, from: string): Promise<void> => {
    for (let time = 0; time < times; time++) {
      expectProblem(await login(email, WRONG, { from }), 'invalid-credentials');
    }
  };
  const newAddress = (): string => `198.51.${Math.floor(Math.random() * 250)}.${Math.floor(Math.random() * 250)}`;
  const endLocks = () => app.sql('UPDATE login_attempts SET locked_until = now() WHERE locked_until IS NOT NULL');

  it('stops guessing, also with the right password and by another process, and tells when to come back', async () => {
    const { email } = await buildUser(app);
    const from = newAddress();
    await fail(email, 3, from);
    const refused = await login(email, PASSWORD, { from });
    expectProblem(refused, 'too-many-requests');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expectProblem(await login(email.toUpperCase(), PASSWORD, { from, on: beside }), 'too-many-requests');
    await endLocks();
    expect((await login(email, PASSWORD, { from })).status).toBe(200);
  });

  it('answers the same, to the byte, whether or not the account exists', async () => {
    const { email } = await buildUser(app);
    const from = newAddress();
    const attempts = async (address: string): Promise<unknown[]> => {
      const bodies: unknown[] = [];
      for (let attempt = 0; attempt < 5; attempt++) {
        const { status, headers, body } = await login(address, WRONG, { from });
        const waits = headers.get('retry-after') !== null;
        bodies.push([status, body, waits, headers.get('www-authenticate')]);
      }
      return bodies;
    };
    const existing = await attempts(email);
    expect(existing).toEqual(await attempts(`${randomUUID()}@example.com`));
    expect(existing.map((entry) => (entry as number[])[0])).toEqual([401, 401, 401, 429, 429]);
  });

  it('lasts longer with each further failure, and begins anew after a right password', async () => {
    const { email } = await buildUser(app);
    const from = newAddress();
    const wait = async () => Number((await login(email, WRONG, { from })).headers.get('retry-after'));
    await fail(email, 3, from);
    expect(await wait()).toBeLessThanOrEqual(60);
    await endLocks();
    await fail(email, 1, from);
    expect(await wait()).toBeGreaterThan(60);
    await endLocks();
    await fail(email, 1, from);
    expect(await wait()).toBeGreaterThan(120);
    await endLocks();
    expect((await login(email, PASSWORD, { from })).status).toBe(200);
    await fail(email, 2, from);
    expect((await login(email, PASSWORD, { from })).status).toBe(200);
  });

  it('judges no more guesses than allowed when many come at once, on two processes', async () => {
    const { email } = await buildUser(app);
    const from = newAddress();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => login(email, WRONG, { from, on: index % 2 === 0 ? app : beside })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(3);
    expect(statuses.filter((status) => status === 429)).toHaveLength(9);
  });

  it('does not hold for the same account elsewhere, nor for other accounts', async () => {
    const [victim, other] = [await buildUser(app), await buildUser(app)];
    const from = newAddress();
    await fail(victim.email, 3, from);
    expectProblem(await login(victim.email, PASSWORD, { from }), 'too-many-requests');
    expect((await login(victim.email, PASSWORD, { from: newAddress() })).status).toBe(200);
    expect((await login(other.email, PASSWORD, { from })).status).toBe(200);
  });

  it('stops guesses at one account from everywhere, but not its user where that one has been before', async () => {
    const { email } = await buildUser(app);
    const home = newAddress();
    expect((await login(email, PASSWORD, { from: home })).status).toBe(200);
    for (let guess = 0; guess < 30; guess++) {
      expectProblem(await login(email, WRONG, { from: `203.0.113.${guess}` }), 'invalid-credentials');
    }
    expectProblem(await login(email, PASSWORD, { from: '203.0.113.200' }), 'too-many-requests');
    expect((await login(email, PASSWORD, { from: home })).status).toBe(200);
  });

  it('stops guesses at many accounts from one network', async () => {
    for (let guess = 0; guess < 60; guess++) {
      const from = `2001:db8:1:${guess.toString(16)}::1`;
      expectProblem(await login(`${randomUUID()}@example.com`, WRONG, { from }), 'invalid-credentials');
    }
    const user = await buildUser(app);
    expectProblem(await login(user.email, PASSWORD, { from: '2001:db8:1:ff::1' }), 'too-many-requests');
  });

  it('does not count right passwords', async () => {
    const { email } = await buildUser(app);
    const from = newAddress();
    for (let attempt = 0; attempt < 6; attempt++) expect((await login(email, PASSWORD, { from })).status).toBe(200);
  });

  it('holds for the question after the current password too', async () => {
    const user: TestUser = await buildUser(app);
    const change = (currentPassword: string) =>
      user.api.request('POST', '/api/auth/password', {
        json: { currentPassword, newPassword: 'a brand new password' },
        headers: { 'X-Forwarded-For': '192.0.2.77' },
      });
    for (let guess = 0; guess < 3; guess++) expectProblem(await change(WRONG), 'validation-failed', 'currentPassword');
    expectProblem(await change(PASSWORD), 'too-many-requests');
  });
});

describe('the lock without a trusted proxy', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { AUTH_RATE_LIMIT: '3' } });
  });
  afterAll(() => app.stop());

  it('does not believe an address that the client claims', async () => {
    const user = await buildUser(app);
    const guess = (attempt: number) =>
      app.client().request('POST', '/api/auth/login', {
        json: { email: user.email, password: WRONG },
        headers: { 'X-Forwarded-For': `10.0.0.${attempt}` },
      });
    for (let attempt = 0; attempt < 3; attempt++) expect((await guess(attempt)).status).toBe(401);
    expectProblem(await guess(4), 'too-many-requests');
  });
});
