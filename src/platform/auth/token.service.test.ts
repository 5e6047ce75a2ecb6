import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import jwt, { type SignOptions } from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { makeRsaKey } from '../../../tests/support/rsa-key.js';
import { AppError } from '../app-error.js';
import { TokenService } from './token.service.js';

const privateKey = makeRsaKey();
const keys = { keyId: 'the-key', privateKey, publicKey: createPublicKey(privateKey) };
const service = new TokenService({
  signing: () => Promise.resolve(keys),
  verifying: (keyId) => Promise.resolve(keyId === keys.keyId ? keys.publicKey : null),
});
const claims = { userId: randomUUID(), email: 'user@example.com', role: 'user', sessionId: randomUUID() } as const;

const payload = {
  id: claims.userId,
  email: claims.email,
  role: claims.role,
  sid: claims.sessionId,
  token_use: 'access',
};
const options: SignOptions = {
  algorithm: 'RS256',
  keyid: keys.keyId,
  subject: claims.userId,
  issuer: 'infernode',
  audience: 'infernode',
  expiresIn: 60,
};
const sign = (change: object = {}, changedOptions: SignOptions = {}): string =>
  jwt.sign({ ...payload, ...change }, privateKey, { ...options, ...changedOptions });

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** As somebody would forge it who holds the public key only: it is no secret. */
function signWithPublicKey(): string {
  const [, body] = sign().split('.');
  const content = `${encode({ alg: 'HS256', typ: 'JWT', kid: keys.keyId })}.${body}`;
  const secret = keys.publicKey.export({ type: 'spki', format: 'pem' });
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

function withAdminRole(): string {
  const [header, body, signature] = sign().split('.');
  const changed = { ...(JSON.parse(Buffer.from(body, 'base64url').toString()) as object), role: 'admin' };
  return [header, encode(changed), signature].join('.');
}

function without(claim: keyof typeof payload): string {
  const { [claim]: _left, ...rest } = payload;
  return jwt.sign(rest, privateKey, options);
}

describe('TokenService', () => {
  it('takes back what it has issued', async () => {
    const { expiresAt, ...rest } = await service.verify(await service.issue(claims, 60));
    expect(rest).toEqual(claims);
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(50_000);
    await expect(service.verify(sign())).resolves.toMatchObject(claims);
  });

  it('gives every token an id of its own', async () => {
    const tokens = await Promise.all([service.issue(claims, 60), service.issue(claims, 60)]);
    const [first, second] = tokens.map((token) => jwt.decode(token, { json: true }));
    expect(first?.jti).not.toBe(second?.jti);
  });

  it.each<[string, () => string]>([
    ['nothing', () => ''],
    ['something else', () => 'a.b.c'],
    [
      'a token without a signature',
      () => `${encode({ alg: 'none', typ: 'JWT', kid: keys.keyId })}.${sign().split('.')[1]}.`,
    ],
    ['one whose signature is cut off', () => `${sign().split('.').slice(0, 2).join('.')}.`],
    ['one signed with the public key as a secret', signWithPublicKey],
    ['one signed with another key', () => jwt.sign(payload, makeRsaKey(), options)],
    ['one of another algorithm', () => sign({}, { algorithm: 'RS512' })],
    ['one with a changed role', withAdminRole],
    ['one with another key id', () => sign({}, { keyid: 'other' })],
    ['one for another purpose', () => sign({ token_use: 'refresh' })],
    ['one without a purpose', () => without('token_use')],
    ['one without a session', () => without('sid')],
    ['one of another issuer', () => sign({}, { issuer: 'somebody' })],
    ['one for another audience', () => sign({}, { audience: 'somebody' })],
    ['one with an unknown role', () => sign({ role: 'root' })],
    ['one for an id that is none', () => sign({ id: "' OR 1=1" })],
    ['one that is not valid yet', () => sign({}, { notBefore: 60 })],
  ])('D2.1 refuses %s', async (_name, make) => {
    await expect(service.verify(make())).rejects.toMatchObject({ code: 'invalid-token', status: 401 });
  });

  it('refuses one without an end', async () => {
    const { expiresIn: _left, ...endless } = options;
    await expect(service.verify(jwt.sign(payload, privateKey, endless))).rejects.toThrow(AppError);
  });

  it('D2.1 says when a token has expired', async () => {
    await expect(service.verify(sign({}, { expiresIn: -1 }))).rejects.toThrow('The token has expired.');
  });
});
