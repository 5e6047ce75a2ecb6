import { describe, expect, it } from 'vitest';
import { redact } from './redact.js';

const HIDDEN = '[redacted]';

describe('redact', () => {
  it.each([
    'password',
    'newPassword',
    'DB_PASSWORD',
    'token',
    'accessToken',
    'Authorization',
    'set-cookie',
    'clientSecret',
  ])('hides the value of %s, however deep it lies', (key) => {
    expect(redact({ a: [{ [key]: 'hunter2' }] })).toEqual({ a: [{ [key]: HIDDEN }] });
  });

  it.each(['privateKey', 'private_key', 'apiKey', 'DATABASE_URL', 'redisUrl', 'passphrase'])('hides %s', (key) => {
    expect(redact({ [key]: { nested: 'hunter2' } })).toEqual({ [key]: HIDDEN });
  });

  it('hides tokens and the passwords of addresses within texts', () => {
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJpZCI6MX0.c2lnbmF0dXJl';
    expect(redact(`Bearer ${token} was refused`)).toBe(`Bearer ${HIDDEN} was refused`);
    expect(redact(`ink_${'a'.repeat(43)} and inr_${'b'.repeat(65)}`)).toBe(`${HIDDEN} and ${HIDDEN}`);
    expect(redact(`signed by whsec_${'a+/'.repeat(14)}4=`)).toBe(`signed by ${HIDDEN}`);
    expect(redact('connect to postgres://me:hunter2@db/x failed')).toBe(
      `connect to postgres://me:${HIDDEN}@db/x failed`,
    );
    expect(redact('redis://:hunter2@r:6379')).toBe(`redis://:${HIDDEN}@r:6379`);
  });

  it('leaves everything else, and the original, as it is', () => {
    const original = { url: 'https://example.com/a:b', count: 3, nothing: null, list: ['a'], tokens: 7, password: 'x' };
    expect(redact(original)).toEqual({ ...original, password: HIDDEN });
    expect(original.password).toBe('x');
    expect(redact({ password: null, token: undefined })).toEqual({ password: null, token: undefined });
  });

  it('comes to an end with something that contains itself', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle['self'] = circle;
    expect(redact(circle)).toMatchObject({ name: 'a' });
  });
});
