import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser } from '../support/build.js';

/** What comes back for bytes that no well-behaved client would send; ends when the server closes. */
function sendRaw(app: App, bytes: string): Promise<string> {
  const { hostname, port } = new URL(app.baseUrl);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 20_000 });
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.once('end', () => socket.destroy());
    socket.once('close', () => resolve(answer));
    socket.once('timeout', () => socket.destroy(new Error(`no end; so far: ${answer}`)));
    socket.once('error', reject);
    socket.write(bytes, 'latin1');
  });
}

function open(app: App, path: string, options: { method: string; headers: Record<string, string> }) {
  return httpRequest(`${app.baseUrl}${path}`, { ...options, agent: false });
}

const answerOf = (request: ReturnType<typeof open>): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.once('response', (response) => {
      response.resume();
      resolve(response);
    });
    request.once('error', reject);
  });

describe('requests that no well-behaved client sends', () => {
  let app: App;
  let token: string;
  let datasetId: string;

  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: { MAX_UPLOAD_BYTES: '1000000' } });
    const user = await buildUser(app);
    token = user.token;
    datasetId = (await buildDataset(app, { user })).id;
  });
  afterAll(() => app.stop());

  it.each(['gzip', 'deflate', 'br'])('answers a body that is not the %s it claims to be with 400', async (encoding) => {
    const response = await fetch(`${app.baseUrl}/api/auth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Encoding': encoding },
      body: 'this is not compressed',
    });
    expect([400, 415]).toContain(response.status);
    expect(response.headers.get('content-type')).toMatch('application/problem+json');
  });

  it('answers a request that offers HTTP/2 as if it did not', async () => {
    const head = 'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n';
    const answer = await sendRaw(app, `GET /api/health HTTP/1.1\r\n${head}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('Server is working!');
  });

  it('answers bytes that are not HTTP, and headers beyond measure, with a problem', async () => {
    expect(await sendRaw(app, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*"code":"malformed-request"/);
    const huge = `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`;
    expect(await sendRaw(app, huge)).toMatch(/^HTTP\/1\.1 431 [^]*"code":"headers-too-large"/);
  });

  it('lets no half-open socket stay after a refused WebSocket', async () => {
    const answer = await sendRaw(
      app,
      'GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 404 [^]*"code":"route-not-found"/);
  });

  it('refuses a WebSocket that a page of another origin opens', async () => {
    const socket = new WebSocket(`${app.baseUrl.replace('http', 'ws')}/ws`, { origin: 'https://elsewhere.example' });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('403');
  });

  it('refuses an upload that is announced too large before a byte of it is sent', async () => {
    const request = open(app, `/api/dataset/${datasetId}/videos`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'multipart/form-data; boundary=x',
        'Content-Length': '10000000000',
        Expect: '100-continue',
      },
    });
    let continued = false;
    request.once('continue', () => (continued = true));
    request.flushHeaders();
    const response = await answerOf(request);
    expect(response.statusCode).toBe(413);
    expect(continued).toBe(false);
    request.destroy();
  });

  it('asks for a body only when the request is not refused without it', async () => {
    const headers = {
      'Content-Type': 'multipart/form-data; boundary=x',
      'Content-Length': '500',
      Expect: '100-continue',
    };
    const refused = open(app, `/api/dataset/${datasetId}/videos`, { method: 'POST', headers });
    refused.once('continue', () => refused.destroy(new Error('was asked for the body')));
    refused.flushHeaders();
    expect((await answerOf(refused)).statusCode).toBe(401);
    refused.destroy();

    const body = JSON.stringify({ name: 'asked for' });
    const taken = open(app, '/api/dataset', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'Content-Length': String(body.length),
        Expect: '100-continue',
      },
    });
    taken.once('continue', () => taken.end(body));
    taken.flushHeaders();
    expect((await answerOf(taken)).statusCode).toBe(201);
  });

  it('answers a refused form before the rest of it has arrived', async () => {
    const request = open(app, `/api/dataset/${datasetId}/videos`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'multipart/form-data; boundary=x',
        'Content-Length': '900000',
      },
    });
    request.write('--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nabc');
    const response = await answerOf(request);
    expect(response.statusCode).toBe(400);
    expect(response.headers.connection).toBe('close');
    request.destroy();
  });

  it('tells a request full of mistakes about twenty of them', async () => {
    const fields = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field${index}`, 1]));
    const response = await fetch(`${app.baseUrl}/api/auth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...fields, ['x'.repeat(20_000)]: 1 }),
    });
    const text = await response.text();
    expect(response.status).toBe(422);
    expect((JSON.parse(text) as { errors: unknown[] }).errors).toHaveLength(20);
    expect(text.length).toBeLessThan(8_000);
  });

  it('says how to authenticate with every 401, and takes no second Authorization header', async () => {
    for (const headers of [{}, { Authorization: 'Bearer x' }] as Record<string, string>[]) {
      const response = await fetch(`${app.baseUrl}/api/user/credits`, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="infernode"/);
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
    const auth = `Authorization: Bearer ${token}\r\n`;
    const answer = await sendRaw(
      app,
      `GET /api/user/credits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${auth}${auth}\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ['a broken pair', 's\ud800'],
    ['nothing to see', '\u200b \u2060'],
    ['a change of direction', 'gpj.\u202eelif'],
    ['a control character', 'a\u0007b'],
    ['a NUL', 'a\u0000b'],
  ])('takes no name with %s', async (_what, name) => {
    const response = await fetch(`${app.baseUrl}/api/dataset`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ name }),
    });
    expect(response.status).toBe(422);
  });

  it('knows one name in both of its Unicode forms', async () => {
    const create = (name: string) =>
      fetch(`${app.baseUrl}/api/dataset`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: JSON.stringify({ name }),
      });
    expect((await create('caf\u00e9')).status).toBe(201);
    expect((await create('cafe\u0301')).status).toBe(409);
  });
});
