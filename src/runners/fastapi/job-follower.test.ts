import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';

import { silentLogger } from '../../../tests/support/silent-logger.js';
import { HttpClient } from '../http-kit/http-client.js';
import { DEFAULT_REMOTE_LIMITS } from '../http-kit/remote-limits.js';
import { RunnerTimeoutError } from '../runner.errors.js';
import { JobFollower } from './job-follower.js';

it('notices that a server stands still which talks of finished frames, but has no rows of them', async () => {
  const server = createServer((request, response) => {
    const isAboutRows = request.url?.includes('/velocity') === true;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(isAboutRows ? { from: 0, velocity: [] } : { state: 'RUNNING', processed: 2 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const limits = { ...DEFAULT_REMOTE_LIMITS, stallMs: 500 };
  const client = new HttpClient({ peer: 'The server', url, limits });
  const processed: number[] = [];
  const context = {
    onProgress: (said: { processed: number }) => processed.push(said.processed),
    onRows: () => undefined,
  };
  const follower = new JobFollower(
    { serverJobId: 'job-1', total: 3, features: new Set(['progress', 'partial'] as const), context },
    { client, limits, logger: silentLogger, peer: 'The server' },
  );
  try {
    await expect(follower.follow(new AbortController().signal)).rejects.toBeInstanceOf(RunnerTimeoutError);
    expect(processed).toEqual([]);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
});
