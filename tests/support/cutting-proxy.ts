import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CuttingProxy {
  baseUrl: string;
  /** Connections that were cut so far. */
  cuts(): number;
  close(): Promise<void>;
}

/** Passes everything on to `target`, but ends its first connections that bring more than `bytes`, without a word. */
export async function startCuttingProxy(
  target: string,
  { bytes, times }: { bytes: number; times: number },
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // What is cut here ends the other side as well.
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    let passed = 0;
    client.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      if (passed <= bytes || cuts >= times) return;
      cuts++;
      client.resetAndDestroy();
      upstream.destroy();
    });
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
