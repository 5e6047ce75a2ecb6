import { once } from 'node:events';
import { access, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Problem } from '../contract/problem.contract.js';
import { ApiError, UnexpectedAnswerError } from './api-error.js';
import { createClient, type Client } from './client.js';

const ID = '550e8400-e29b-41d4-a716-446655440000';

describe('the client', () => {
  const clean: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of clean.splice(0).reverse()) await step();
  });

  const clientOf = async (listener: RequestListener): Promise<Client> => {
    const server: Server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    clean.push(async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    });
    return createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: 'secret' });
  };
  const folder = async (): Promise<string> => {
    const made = await mkdtemp(path.join(os.tmpdir(), 'client-'));
    clean.push(() => rm(made, { recursive: true, force: true }));
    return made;
  };

  it('throws the problem document of a refusal', async () => {
    const problem: Problem = {
      type: 'urn:infernode:problem:validation-failed',
      title: 'The request is not valid',
      status: 422,
      detail: 'name: A name cannot be empty.',
      instance: '/api/dataset',
      code: 'validation-failed',
      retryable: false,
      requestId: ID,
      errors: [{ path: 'name', message: 'A name cannot be empty.' }],
    };
    const client = await clientOf((_, response) => {
      response.writeHead(422, { 'Content-Type': 'application/problem+json; charset=utf-8', 'Retry-After': '7' });
      response.end(JSON.stringify(problem));
    });
    const error = await client.createDataset({ name: '' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 422, code: 'validation-failed', problem, retryAfterSeconds: 7 });
    expect((error as ApiError).message).toBe('createDataset: name: A name cannot be empty. (validation-failed)');
  });

  it('throws the bare status when something else answers', async () => {
    const client = await clientOf((_, response) => void response.writeHead(502).end('<html>Bad Gateway</html>'));
    await expect(client.getCredits()).rejects.toMatchObject({
      name: 'ApiError',
      status: 502,
      code: null,
      problem: null,
    });
  });

  it('refuses an answer that breaks the contract', async () => {
    const client = await clientOf((_, response) => void response.end('{"credits":"many"}'));
    await expect(client.getCredits()).rejects.toBeInstanceOf(UnexpectedAnswerError);
  });

  it('sends query, token and the body of a GET', async () => {
    let seen = {};
    const client = await clientOf((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen = { method: request.method, url: request.url, body, token: request.headers.authorization };
        response.end('{"datasets":[],"nextCursor":null}');
      });
    });
    await client.listDatasets({ query: { tags: ['a b', 'c'], limit: 2 }, body: { tags: ['d'] } });
    expect(seen).toEqual({
      method: 'GET',
      url: '/api/dataset?tags=a+b&tags=c&limit=2',
      body: '{"tags":["d"]}',
      token: 'Bearer secret',
    });
  });

  it('hears a refusal that comes before the file has been read', async () => {
    const file = path.join(await folder(), 'large.mp4');
    await writeFile(file, '');
    await truncate(file, 200 * 1024 * 1024);
    const client = await clientOf((_, response) => void response.writeHead(413).end());
    let sent = 0;
    const upload = client.uploadVideo(
      ID,
      { name: 'x', file: { path: file } },
      { onProgress: (bytes) => (sent = bytes) },
    );
    await expect(upload).rejects.toMatchObject({ status: 413 });
    expect(sent).toBeLessThan(200 * 1024 * 1024);
  });

  it('stops when its signal fires, and when there is only silence', async () => {
    const client = await clientOf(() => undefined);
    const reason = new Error('enough');
    const controller = new AbortController();
    const call = client.getHealth({ signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(client.getHealth({ timeoutMs: 50 })).rejects.toThrow(/silence for 0.05 s/);
  });

  it('leaves no file of a download that broke off', async () => {
    const target = path.join(await folder(), 'result.zip');
    const client = await clientOf((_, response) => {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('half', () => response.destroy());
    });
    await expect(client.getJobArchive(ID, target)).rejects.toThrow();
    await expect(access(target)).rejects.toThrow();
    await expect(access(`${target}.part`)).rejects.toThrow();
  });
});
