import { once } from 'node:events';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { RunnerStorageError } from '../runner.errors.js';
import { HttpClient } from './http-client.js';
import { openForm } from './multipart-form.js';
import { DEFAULT_REMOTE_LIMITS } from './remote-limits.js';
import { parseRetryAfter } from './retry-after.js';

const NOW = new Date('2026-11-22T10:00:00Z');

describe('Retry-After', () => {
  it.each<[string | null, string | null, number | undefined]>([
    ['7', null, 7],
    [' 0 ', null, 0],
    ['999999999', null, 3600],
    ['Sun, 22 Nov 2026 10:00:30 GMT', null, 30],
    ['Sunday, 22-Nov-26 10:00:30 GMT', null, 30],
    ['Sun Nov 22 10:00:30 2026 GMT', null, 30],
    ['Sun, 22 Nov 2026 09:59:00 GMT', null, 0],
    ['Sun, 22 Nov 2099 10:00:00 GMT', null, 3600],
    // By the clock of the server, which is an hour late.
    ['Sun, 22 Nov 2026 09:00:30 GMT', 'Sun, 22 Nov 2026 09:00:00 GMT', 30],
    ['Sun, 22 Nov 2026 10:00:30 GMT', 'whenever', 30],
    ['soon', null, undefined],
    ['-5', null, undefined],
    ['1.5', null, undefined],
    ['', null, undefined],
    [null, null, undefined],
  ])('%j with the date %j is %j', (header, date, seconds) => {
    expect(parseRetryAfter(header, date, NOW)).toBe(seconds);
  });
});

describe('an HTTP client of a runner', () => {
  let folder: string;
  let ends: (() => Promise<unknown>)[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'http-kit-'));
    ends = [() => rm(folder, { recursive: true })];
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function serve(listener: RequestListener): Promise<{ url: URL; client: HttpClient }> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base?ignored=1`);
    const client = new HttpClient({ peer: 'The server', url, token: 'secret', limits: DEFAULT_REMOTE_LIMITS });
    ends.push(
      async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
      () => client.close(),
    );
    return { url, client };
  }
  const signal = new AbortController().signal;
  const get = (path: string) => ({ method: 'GET', path, signal, answerMs: 10_000, readMs: 10_000 }) as const;

  it('stays below its base, and sends the token nowhere else', async () => {
    const seen: [string | undefined, string | undefined][] = [];
    const { client } = await serve((request, response) => {
      seen.push([request.url, request.headers.authorization]);
      if (request.url?.endsWith('/moved') === true) response.writeHead(302, { Location: '../here?x=1' }).end();
      else response.setHeader('Content-Type', 'application/json').end('{}');
    });
    await client.send(get('health'), (answer) => answer.json(z.object({}), 'it', 100));
    const url = await client.send(get('jobs/moved'), (answer) => Promise.resolve(answer.url.pathname));
    expect(url).toBe('/base/here');
    expect(seen).toEqual([
      ['/base/health', 'Bearer secret'],
      ['/base/jobs/moved', 'Bearer secret'],
      ['/base/here?x=1', 'Bearer secret'],
    ]);
    for (const elsewhere of [
      'http://127.0.0.2:9/',
      'https://127.0.0.1/',
      '//example.com/x',
      'file:///etc/passwd',
      'http://[',
    ]) {
      await expect(client.send(get(elsewhere), () => Promise.resolve())).rejects.toMatchObject({
        reason: 'redirected',
      });
    }
    expect(seen).toHaveLength(3);
  });

  it('does not ask the proxies of the environment', async () => {
    const { client } = await serve((_request, response) => response.end());
    const before = process.env['HTTP_PROXY'];
    process.env['HTTP_PROXY'] = 'http://127.0.0.2:9';
    try {
      expect(await client.send(get('health'), ({ status }) => Promise.resolve(status))).toBe(200);
    } finally {
      if (before === undefined) delete process.env['HTTP_PROXY'];
      else process.env['HTTP_PROXY'] = before;
    }
  });

  it('hands on what its signal says, and ends every call when it is closed', async () => {
    let asked = 0;
    const { client } = await serve(() => {
      asked++;
    });
    const stop = new AbortController();
    const stopped = client.send({ ...get('x'), signal: stop.signal }, () => Promise.resolve());
    stop.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    const open = client.send(get('y'), () => Promise.resolve()).catch((error: unknown) => error);
    await client.close();
    await client.close();
    expect(await open).toMatchObject({ code: 'runner-unavailable' });
    await expect(client.send(get('z'), () => Promise.resolve())).rejects.toMatchObject({ code: 'runner-unavailable' });
    expect(asked).toBeLessThanOrEqual(2);
  });

  it('passes on what the reader of an answer throws, and can be used again', async () => {
    const { client } = await serve((_request, response) => response.end('x'.repeat(1_000_000)));
    const failure = client.send(get('x'), () => Promise.reject(new TypeError('a mistake of ours')));
    await expect(failure).rejects.toThrow(TypeError);
    expect(await client.send(get('x'), async (answer) => (await answer.bytes('it', 2_000_000)).length)).toBe(1_000_000);
  });

  it('names what does not fit, but not all of it', async () => {
    const { client } = await serve((_request, response) => {
      response.setHeader('Content-Type', 'application/json; charset=utf-8');
      response.end(JSON.stringify(Array.from({ length: 50 }, () => ({ a: 'text' }))));
    });
    const schema = z.array(z.object({ a: z.number() }));
    const outcome = client.send(get('x'), (answer) => answer.json(schema, 'its list', 10_000));
    await expect(outcome).rejects.toMatchObject({
      reason: 'wrong-shape',
      message: expect.stringMatching(/^The server sends its list .*0\.a.*1\.a.*2\.a.*\)\.$/) as string,
    });
    await expect(outcome).rejects.not.toThrow('3.a');
  });

  it('does not replace a file that is there', async () => {
    const { client } = await serve((_request, response) => response.end('new'));
    const path = join(folder, 'taken');
    await writeFile(path, 'old');
    const outcome = client.send(get('x'), (answer) => answer.saveTo(path, 'The file', { types: /./, maxBytes: 10 }));
    await expect(outcome).rejects.toBeInstanceOf(RunnerStorageError);
  });

  it('sends a form from files, whose mishaps are those of the platform', async () => {
    const lengths: (string | undefined)[] = [];
    let received = 0;
    const { client } = await serve((request, response) => {
      lengths.push(request.headers['content-length']);
      request.on('data', (chunk: Buffer) => (received += chunk.length));
      request.on('end', () => response.end());
    });
    const path = join(folder, 'video');
    await writeFile(path, Buffer.alloc(3_000_000));
    const file = { field: 'video', path, filename: 'a"\r\n.mp4', contentType: 'video/mp4' };
    const form = await openForm({ naïve: 'ä', left: undefined }, [file]);
    let isSent = false;
    const call = { ...get('form'), method: 'POST', body: form, onSent: () => (isSent = true) } as const;
    expect(await client.send(call, ({ status }) => Promise.resolve(status))).toBe(200);
    expect(lengths).toEqual([String(form.contentLength)]);
    expect(received).toBe(form.contentLength);
    expect(isSent).toBe(true);

    const shrinking = await openForm({}, [file]);
    await truncate(path, 1_000_000);
    await expect(client.send({ ...call, body: shrinking }, () => Promise.resolve())).rejects.toThrow(
      RunnerStorageError,
    );
    await rm(path);
    await expect(client.send({ ...call, body: form }, () => Promise.resolve())).rejects.toThrow(RunnerStorageError);
    await expect(openForm({}, [file])).rejects.toThrow(RunnerStorageError);
  });
});
