import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildUser, PASSWORD } from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';

const newEmail = (): string => `${randomUUID()}@example.com`;

describe('accounts', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
  });
  afterAll(() => app.stop());

  const register = (body: unknown) => app.client().post('/api/auth/register', body);
  const login = (body: unknown) => app.client().post('/api/auth/login', body);

  it('D1.1 D1.2 D2.4 registers with the welcome credits, logs in and shows the balance', async () => {
    const email = newEmail();
    const registered = await register({ email, password: PASSWORD });
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({
      message: 'User registered successfully',
      user: { id: expect.any(String), email, role: 'user', credit: 100 },
    });
    const { status, body, headers } = await app
      .client()
      .post<{ message: string; token: string }>('/api/auth/login', { email, password: PASSWORD });
    expect([status, body.message, headers.get('cache-control')]).toEqual([200, 'Login successful', 'no-store']);
    expect(body).toMatchObject({ refreshToken: expect.stringMatching(/^inr_/), expiresIn: 24 * 3600 });
    expect(await app.client(body.token).credits()).toBe(100);
    await expectLedgersToBalance(app);
  });

  it('D1.2 D2.1 issues tokens that name the user and end after JWT_EXPIRATION', async () => {
    const user = await buildUser(app);
    const { header, payload } = jwt.decode(user.token, { complete: true })!;
    expect(header.alg).toBe('RS256');
    expect(payload).toMatchObject({ id: user.id, sub: user.id, email: user.email, role: 'user', token_use: 'access' });
    const { exp, iat } = payload as { exp: number; iat: number };
    expect(exp - iat).toBe(24 * 3600);
  });

  it('takes an email address as the same whatever its case and spaces', async () => {
    const name = randomUUID();
    expect((await register({ email: ` ${name}@Example.COM `, password: PASSWORD })).status).toBe(201);
    expectProblem(await register({ email: `${name}@example.com`, password: PASSWORD }), 'email-taken');
    expect((await login({ email: `${name.toUpperCase()}@example.com`, password: PASSWORD })).status).toBe(200);
  });

  it('D2.3 never shows a password or its hash', async () => {
    const { body } = await register({ email: newEmail(), password: PASSWORD });
    expect(JSON.stringify(body)).not.toMatch(/hash|\$2[aby]\$|correct horse/);
  });

  it.each([
    ['no body', undefined, 'email'],
    ['no email', { password: PASSWORD }, 'email'],
    ['no password', { email: newEmail() }, 'password'],
    ['something that is not an address', { email: 'a@b', password: PASSWORD }, 'email'],
    ['an address that is too long', { email: `${'a'.repeat(250)}@example.com`, password: PASSWORD }, 'email'],
    ['a short password', { email: newEmail(), password: 'short' }, 'password'],
    ['a password bcrypt would cut', { email: newEmail(), password: 'é'.repeat(37) }, 'password'],
    ['NUL in the password', { email: newEmail(), password: 'long enough\0' }, 'password'],
    ['NUL in the address', { email: 'a\0@example.com', password: PASSWORD }, 'email'],
    ['a number as the password', { email: newEmail(), password: 12345678 }, 'password'],
    ['an object as the address', { email: { $ne: null }, password: PASSWORD }, 'email'],
    ['a field that does not exist', { email: newEmail(), password: PASSWORD, role: 'admin' }, 'role'],
    ['a balance of one’s own', { email: newEmail(), password: PASSWORD, credit: 1e6 }, 'credit'],
  ])('refuses a registration with %s', async (_name, body, field) => {
    expectProblem(await register(body), 'validation-failed', field);
  });

  it('refuses passwords that guessers try first, at registration and at a change', async () => {
    const email = newEmail();
    for (const password of ['password1', 'QWERTYUIOP', '12345678', email, email.split('@')[0]]) {
      expectProblem(await register({ email, password }), 'validation-failed', 'password');
    }
    const { api } = await buildUser(app);
    const change = { currentPassword: PASSWORD, newPassword: 'letmein!!!' };
    expectProblem(await api.post('/api/auth/password', change), 'validation-failed', 'newPassword');
  });

  it('takes passwords of exactly 72 bytes and of any script, and tells them apart to the last byte', async () => {
    const email = newEmail();
    const password = `${'ü'.repeat(35)}ab`;
    expect(Buffer.byteLength(password)).toBe(72);
    expect((await register({ email, password })).status).toBe(201);
    expect((await login({ email, password })).status).toBe(200);
    expectProblem(await login({ email, password: `${'ü'.repeat(35)}ac` }), 'invalid-credentials');
    expectProblem(await login({ email, password: `${password}x` }), 'invalid-credentials');
  });

  it('answers a wrong password and an unknown address alike', async () => {
    const { email } = await buildUser(app);
    const wrong = await login({ email, password: 'not the password' });
    const unknown = await login({ email: newEmail(), password: 'not the password' });
    expectProblem(wrong, 'invalid-credentials');
    expectProblem(unknown, 'invalid-credentials');
    expect(wrong.body.detail).toBe(unknown.body.detail);
  });

  it.each([
    { email: 'a\0b@example.com', password: 'x' },
    { email: '\ud800', password: '\ud800' },
    { email: "' OR 1=1 --", password: "' OR 1=1 --" },
    { email: '', password: '' },
    { email: 'user@example.com', password: '\0' },
    { email: 'user@example.com', password: 'x'.repeat(1000) },
  ])('refuses the login %j as wrong', async (body) => {
    expectProblem(await login(body), 'invalid-credentials');
  });

  it('does not take the token of an account that is gone', async () => {
    const { email } = await buildUser(app);
    const answer = await app.client(await tokenOfNobody(app, email)).get('/api/user/credits');
    expectProblem(answer, 'invalid-token');
  });

  it('reads JSON only, and says what is wrong with it', async () => {
    const send = (body: string, type: string) =>
      app.client().request('POST', '/api/auth/login', { body, headers: { 'Content-Type': type } });
    expectProblem(await send('{"email":', 'application/json'), 'malformed-json');
    expectProblem(await send('"text"', 'application/json'), 'malformed-json');
    expectProblem(await send('[]', 'application/json'), 'validation-failed');
    expectProblem(await send('email=a', 'application/x-www-form-urlencoded'), 'unsupported-media-type');
    expectProblem(await send('<a/>', 'text/xml'), 'unsupported-media-type');
    expectProblem(await send('{}', 'application/json; charset=koi8-r'), 'unsupported-media-type');
    expectProblem(await send(JSON.stringify({ email: 'x'.repeat(200_000) }), 'application/json'), 'payload-too-large');
  });

  it('is not impressed by names of the language', async () => {
    const send = (body: string) =>
      app.client().request('POST', '/api/auth/register', { body, headers: { 'Content-Type': 'application/json' } });
    expectProblem(await send('{"__proto__":{"role":"admin"},"constructor":1}'), 'validation-failed');
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    expectProblem(await send(`{"email":${deep}}`), 'malformed-request');
  });
});

/** Signed with the app's own key, for a user that was never there. */
async function tokenOfNobody({ container }: App, email: string): Promise<string> {
  const { privateKey, keyId } = await container.infrastructure.keys.signing();
  const id = randomUUID();
  return jwt.sign({ id, email, role: 'user', sid: randomUUID(), token_use: 'access' }, privateKey, {
    algorithm: 'RS256',
    keyid: keyId,
    subject: id,
    issuer: 'infernode',
    audience: 'infernode',
    expiresIn: 60,
  });
}
