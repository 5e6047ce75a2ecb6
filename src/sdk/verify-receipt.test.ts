import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { CompactSign, SignJWT } from 'jose';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RECEIPT_TYPE, type Receipt } from '../contract/receipt.contract.js';
import { signReceipt, type ReceiptKey } from '../platform/auth/receipt-key.js';
import { digestOfMembers } from '../platform/canonical-digest.js';
import { verifyReceipt } from './verify-receipt.js';

const ID = '550e8400-e29b-41d4-a716-446655440000';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const result = { velocity: [[0, -0, 1e-7, 1e21, 0.1, 3]], message: 'é', requestId: ID };
const energy = { parts: { cpu_wh: null, gpu_wh: null, memory_wh: null }, method: 'estimated', source: 'x' } as const;
const attempt = {
  ...{ runner: { kind: 'embedded', name: 'Engine' }, outcome: 'COMPLETED', resumed_rows: 0 },
  ...{ started_at: '2026-01-01T00:00:00.000Z', finished_at: '2026-01-01T00:01:00.000Z' },
};
const receipt: Receipt = {
  ...{ version: 1, receipt_id: ID, job_id: ID, user_id: ID, retry_of: null },
  ...{ created_at: '2026-01-01T00:00:00.000Z', started_at: '2026-01-01T00:00:00.000Z' },
  finished_at: '2026-01-01T00:01:00.000Z',
  model: { name: 'cns', version: '1', digest: null },
  inputs: {
    goal_video: { id: ID, sha256: sha256('goal'), bytes: 4 },
    current_video: { id: ID, sha256: sha256('current'), bytes: 7 },
  },
  parameters: { detector: 'SIFT' },
  runner: { kind: 'embedded', name: 'Engine', version: '1' },
  device: 'cpu',
  attempts: [
    { ...attempt, number: 1, seconds: 0.1, energy: { ...energy, energy_wh: 0.1 }, carbon_footprint: 0.01 },
    { ...attempt, number: 2, seconds: null, energy: null, carbon_footprint: null },
    { ...attempt, number: 3, seconds: 0.2, energy: { ...energy, energy_wh: 0.2 }, carbon_footprint: 0.02 },
  ],
  ...{ frames: 1, seconds: 0.3, cpu_seconds: 0.3, gpu_seconds: 0 },
  energy: { ...energy, energy_wh: 0.3 },
  intensity: null,
  ...{ carbon_footprint: 0.03, reported_grams: null, credits: 1 },
  result: {
    sha256: digestOfMembers(result, Object.keys(result)),
    members: Object.keys(result),
    archive: { sha256: sha256('zip'), bytes: 3 },
  },
};

function newKey(kid: string): ReceiptKey {
  const pair = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const privateKey = createPrivateKey(pair.privateKey);
  const { x = '' } = createPublicKey(pair.publicKey).export({ format: 'jwk' });
  return { privateKey, published: { kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid, x } };
}

/** Paths of all values that hold no others. */
function leavesOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name]));
}

function changed(value: unknown, [name, ...rest]: string[]): unknown {
  if (name === undefined) return typeof value === 'number' ? value + 1 : `${String(value)}!`;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[name] = changed(copy[name], rest);
  return copy;
}

describe('a receipt', () => {
  const key = newKey('first');
  const other = newKey('second');
  const keys = { keys: [other.published, key.published] };
  let jws: string;
  beforeAll(async () => {
    jws = await signReceipt(JSON.stringify(receipt), RECEIPT_TYPE, key);
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const failuresOf = async (document: unknown, set = keys, evidence = {}) =>
    (await verifyReceipt(document, set, evidence)).checks.filter(({ passed }) => !passed).map(({ name }) => name);
  const signatureProblem = async (document: unknown, set = keys) => {
    const { valid, receipt: trusted, checks } = await verifyReceipt(document, set);
    expect({ valid, trusted, names: checks.map(({ name }) => name) }).toEqual({
      ...{ valid: false, trusted: null, names: ['signature'] },
    });
    return checks[0].detail;
  };

  it('is genuine as the API gave it and as the signature alone, with what it speaks of', async () => {
    const evidence = {
      result: { results: { ...result, frame_errors: [] } },
      archive: { sha256: sha256('zip'), bytes: 3 },
      goal: { sha256: sha256('goal'), bytes: 4 },
      current: { sha256: sha256('current'), bytes: 7 },
    };
    const verdict = await verifyReceipt({ receipt, jws }, keys, evidence);
    expect(verdict).toMatchObject({ valid: true, receipt });
    expect(verdict.checks.map(({ name }) => name)).toEqual([
      ...['signature', 'content', 'shown', 'figures', 'result', 'archive', 'goal video', 'current video'],
    ]);
    expect((await verifyReceipt(`${jws}\n`, keys, { result })).valid).toBe(true);
  });

  it('is genuine at any time: no clock is asked', async () => {
    for (const now of ['1970-01-01', '2525-01-01']) {
      vi.useFakeTimers({ now: new Date(now), toFake: ['Date'] });
      expect((await verifyReceipt(jws, keys)).valid).toBe(true);
    }
  });

  it('is not when any of its figures is changed, shown or signed', async () => {
    const leaves = leavesOf(receipt);
    expect(leaves.length).toBeGreaterThan(60);
    for (const leaf of leaves) {
      const forged = changed(receipt, leaf);
      expect(await failuresOf({ receipt: forged, jws }), leaf.join('.')).toEqual(['shown']);
      const [head, , signature] = jws.split('.');
      const payload = Buffer.from(JSON.stringify(forged)).toString('base64url');
      expect(await failuresOf([head, payload, signature].join('.')), leaf.join('.')).toEqual(['signature']);
    }
    expect(await failuresOf({ receipt: { ...receipt, more: 1 }, jws })).toEqual(['shown']);
    expect(await failuresOf({ receipt: null, jws })).toEqual(['shown']);
  });

  it('is not when one character of it is another', async () => {
    for (let place = 0; place < jws.length - 1; place += 7) {
      const character = jws[place] === 'A' ? 'B' : 'A';
      expect(await failuresOf(jws.slice(0, place) + character + jws.slice(place + 1)), String(place)).toEqual([
        'signature',
      ]);
    }
  });

  it('is not when it does not name a key of the set, or another one than signed it', async () => {
    expect(await signatureProblem(jws, { keys: [other.published] })).toMatch(/no such key/);
    expect(await signatureProblem(jws, { keys: [] })).toMatch(/no such key/);
    expect(await signatureProblem(jws, { keys: [{ ...other.published, kid: 'first' }] })).toMatch(/another key/);
    const nameless = new CompactSign(Buffer.from(JSON.stringify(receipt)));
    nameless.setProtectedHeader({ alg: 'EdDSA', typ: RECEIPT_TYPE });
    expect(await signatureProblem(await nameless.sign(key.privateKey), { keys: [key.published] })).toMatch(
      /name its key/,
    );
  });

  it('is not when its key in the set is none', async () => {
    expect(await signatureProblem(jws, { keys: [{ ...key.published, x: 'zz' }] })).toMatch(/key set is none/);
  });

  it('is not with another algorithm, above all none, and one that takes the public key for a secret', async () => {
    const payload = Buffer.from(JSON.stringify(receipt)).toString('base64url');
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: 'first', typ: RECEIPT_TYPE })).toString('base64url');
    expect(await signatureProblem(`${none}.${payload}.AA`)).toMatch(/not signed with EdDSA/);
    const secret = Buffer.from(key.published.x, 'base64url');
    const symmetric = await new CompactSign(Buffer.from(JSON.stringify(receipt)))
      .setProtectedHeader({ alg: 'HS256', kid: 'first', typ: RECEIPT_TYPE })
      .sign(secret);
    expect(await signatureProblem(symmetric)).toMatch(/not signed with EdDSA/);
  });

  it('is not something else that the same key has signed', async () => {
    const token = await new SignJWT({ sub: 'x' })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'first' })
      .sign(key.privateKey);
    expect(await signatureProblem(token)).toMatch(/signed as/);
    for (const content of ['{}', 'no JSON', JSON.stringify({ ...receipt, version: 2 })]) {
      expect(await failuresOf(await signReceipt(content, RECEIPT_TYPE, key))).toEqual(['content']);
    }
  });

  it('is not when its figures do not add up, whoever signed it', async () => {
    for (const change of [{ seconds: 1 }, { carbon_footprint: 9 }, { energy: { ...receipt.energy, energy_wh: 7 } }]) {
      const odd = await signReceipt(JSON.stringify({ ...receipt, ...change }), RECEIPT_TYPE, key);
      expect(await failuresOf(odd)).toEqual(['figures']);
    }
  });

  it('does not speak of other files', async () => {
    const file = { sha256: sha256('other'), bytes: 4 };
    expect(await failuresOf(jws, keys, { archive: file, goal: file, current: file })).toEqual([
      ...['archive', 'goal video', 'current video'],
    ]);
    expect(await failuresOf(jws, keys, { goal: { sha256: sha256('goal'), bytes: 5 } })).toEqual(['goal video']);
    for (const wrong of [{ ...result, message: 'e' }, {}, [], null, 'text', { results: null }]) {
      expect(await failuresOf(jws, keys, { result: wrong })).toEqual(['result']);
    }
  });

  it('is nothing that is none', async () => {
    for (const document of [
      null,
      1,
      '',
      'a.b',
      '{}',
      {},
      { jws },
      { receipt, jws: 5 },
      { receipt, jws: 'a.b.c.d' },
      [],
    ]) {
      expect(await signatureProblem(document)).toMatch(/no JWS/);
    }
    expect(await signatureProblem('a.b.c')).toMatch(/cannot be read|not signed/);
  });
});
