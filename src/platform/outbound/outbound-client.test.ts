import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Permits } from '../permits.js';
import { AddressPolicy } from './address-policy.js';
import { atMost, OutboundClient, type ResolvedAddress } from './outbound-client.js';

const NEVER = new AbortController().signal;

describe('OutboundClient', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** The address of a server that says this to whoever writes to it. */
  async function serverThatSays(text: string): Promise<URL> {
    server = createServer((socket) => {
      socket.on('error', () => undefined); // cut off by the other side
      socket.once('data', () => socket.write(text));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  }

  const client = new OutboundClient(new AddressPolicy(['127.0.0.0/8']), () => Promise.resolve([]));
  const post = (url: URL) => client.post(url, { headers: {}, body: '{}', timeoutMs: 30_000, signal: NEVER });

  it('comes to an end with a receiver that wants to speak another protocol', async () => {
    const url = await serverThatSays(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n',
    );
    await expect(post(url)).rejects.toMatchObject({ name: 'OutboundError', code: 'connection-failed' });
  });

  it('comes to an end with a receiver that speaks no HTTP', async () => {
    const url = await serverThatSays('220 mail.example ESMTP\r\n');
    await expect(post(url)).rejects.toMatchObject({ name: 'OutboundError', code: 'connection-failed' });
  });

  it.each([
    'http://127.0.0.1:22/',
    'https://127.0.0.1:25/',
    'http://127.0.0.1:443/',
    'http://127.0.0.1:5432/',
    'http://127.0.0.1:6379/',
    'http://127.0.0.1:11211/',
    'http://127.0.0.1:0/',
  ])('%s is judged by its port', async (text) => {
    const judged = client.addressesOf(new URL(text), NEVER);
    if (text.includes(':443')) await expect(judged).resolves.toHaveLength(1);
    else await expect(judged).rejects.toMatchObject({ code: 'address-not-allowed' });
  });
});

describe('atMost', () => {
  it('looks up so many names at a time, and keeps none in line whose asker has gone', async () => {
    const answers: ((addresses: ResolvedAddress[]) => void)[] = [];
    const resolve = atMost(new Permits(2), () => new Promise((answer) => answers.push(answer)));
    const first = resolve('a.example', NEVER);
    const second = resolve('b.example', NEVER);
    const leaving = new AbortController();
    const third = resolve('c.example', leaving.signal);
    const fourth = resolve('d.example', NEVER);
    await new Promise(setImmediate);
    expect(answers).toHaveLength(2);

    leaving.abort(new Error('gone'));
    await expect(third).rejects.toThrow('gone');
    for (const answer of answers) answer([]);
    await Promise.all([first, second]);
    await new Promise(setImmediate);
    expect(answers).toHaveLength(3);
    answers[2]([{ address: '192.0.2.1', family: 4 }]);
    expect(await fourth).toHaveLength(1);
  });
});
