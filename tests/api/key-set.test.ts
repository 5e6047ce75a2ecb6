import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { copyFile, mkdtemp, rm, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { rotateSigningKeys } from '../../src/platform/auth/signing-keys.js';
import { makeRsaKey } from '../support/rsa-key.js';
import { startApp, type App } from '../support/app.js';
import { buildUser, PASSWORD } from '../support/build.js';
import { expectProblem } from '../support/problems.js';
import { until } from '../support/wait.js';

interface KeySet {
  keys: (JsonWebKey & { kid: string })[];
}

const keyIdOf = (token: string): string | undefined => jwt.decode(token, { complete: true })?.header.kid;

describe('the keys of tokens', () => {
  let app: App;
  let beside: App;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-keys-'));
    const settings = {
      JWT_PRIVATE_KEY_PATH: path.join(folder, 'private.key'),
      JWT_PUBLIC_KEY_PATH: path.join(folder, 'public.key'),
      JWT_PREVIOUS_PUBLIC_KEY_PATH: path.join(folder, 'previous-public.key'),
    };
    await copyFile(inject('signingKeys').privateKeyPath, settings.JWT_PRIVATE_KEY_PATH);
    app = await startApp({ parts: ['http'], settings, alone: true });
    beside = await startApp({ parts: ['http'], settings, beside: app });
  });
  afterAll(async () => {
    await beside.stop();
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Those of tokens: the set also has those of receipts. */
  const keySet = async (on: App) =>
    (await on.client().get<KeySet>('/.well-known/jwks.json')).body.keys.filter(({ kty }) => kty === 'RSA');
  const login = async (email: string, on: App): Promise<string> =>
    (await on.client().post<{ token: string }>('/api/auth/login', { email, password: PASSWORD })).body.token;
  const status = async (token: string, on: App): Promise<number> =>
    (await on.client(token).get('/api/user/credits')).status;

  it('are published in a form by which anybody can verify a token', async () => {
    const { token } = await buildUser(app);
    const answer = await app.client().get<KeySet>('/.well-known/jwks.json');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    expect(answer.headers.get('content-type')).toContain('application/json');
    const [key] = answer.body.keys;
    expect(key).toMatchObject({ kty: 'RSA', use: 'sig', alg: 'RS256', kid: keyIdOf(token) });
    expect(key).not.toHaveProperty('d');
    const thumbprint = createHash('sha256').update(JSON.stringify({ e: key.e, kty: key.kty, n: key.n }));
    expect(key.kid).toBe(thumbprint.digest('base64url'));
    const [head, body, signature] = token.split('.');
    const publicKey = createPublicKey({ key, format: 'jwk' });
    const verifies = (content: string) =>
      verify('RSA-SHA256', Buffer.from(content), publicKey, Buffer.from(signature, 'base64url'));
    expect(verifies(`${head}.${body}`)).toBe(true);
    expect(verifies(`${head}.${body}x`)).toBe(false);
    expectProblem(await app.client().get('/api/.well-known/jwks.json'), 'route-not-found');
  });

  it('D2.1 refuse a token of another key, also one that names theirs', async () => {
    const { token } = await buildUser(app);
    const { header, payload } = jwt.decode(token, { complete: true })!;
    for (const keyid of [header.kid!, 'unknown']) {
      const forged = jwt.sign(payload, makeRsaKey(), { algorithm: 'RS256', keyid });
      expectProblem(await app.client(forged).get('/api/user/credits'), 'invalid-token');
    }
  });

  it('are rotated under running processes: no valid token is refused, until its key is taken away', async () => {
    const { email, token: old } = await buildUser(app);
    await rotateSigningKeys(app.config, { tokenSeconds: 3600, force: false });
    const fresh = await until(
      async () => {
        for (const on of [app, beside]) expect(await status(old, on)).toBe(200);
        const token = await login(email, app);
        return keyIdOf(token) === keyIdOf(old) ? null : token;
      },
      { what: 'a token of the new key' },
    );
    expect(await status(fresh, beside)).toBe(200);
    const publishes = (on: App, ...tokens: string[]) =>
      until(async () => (await keySet(on)).map(({ kid }) => kid).join() === tokens.map(keyIdOf).join(), {
        what: 'these keys to be published',
      });
    for (const on of [app, beside]) await publishes(on, fresh, old);

    await rm(app.config.previousPublicKeyPath);
    for (const on of [app, beside]) {
      await until(async () => (await status(old, on)) === 401, { what: 'the old token to be refused' });
      expect(await status(fresh, on)).toBe(200);
      await publishes(on, fresh);
    }
  });

  it('end by themselves when the last token of the one before has expired', async () => {
    const { email, token: old } = await buildUser(app);
    await rotateSigningKeys(app.config, { tokenSeconds: 3600, force: true });
    const longAgo = new Date(Date.now() - 25 * 3_600_000);
    await utimes(app.config.previousPublicKeyPath, longAgo, longAgo);
    await until(async () => (await status(old, app)) === 401, { what: 'the old token to be refused' });
    expect(await status(await login(email, app), beside)).toBe(200);
  });

  it('stay as they are when the files cannot be read', async () => {
    const { token } = await buildUser(app);
    const [before] = await keySet(app);
    await copyFile(app.config.publicKeyPath, app.config.privateKeyPath);
    await expect(rotateSigningKeys(app.config, { tokenSeconds: 3600, force: true })).rejects.toThrow(/PEM key/);
    const unknown = jwt.sign({}, makeRsaKey(), { algorithm: 'RS256', keyid: 'makes the files be read' });
    expect(await status(unknown, app)).toBe(401);
    expect(await status(token, app)).toBe(200);
    expect((await keySet(app))[0].kid).toBe(before.kid);
  });
});
