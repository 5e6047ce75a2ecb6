import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { until } from '../wait.js';

const PROJECT = fileURLToPath(new URL('../../../model-server', import.meta.url));
const START_MS = 120_000;

/** The server of `model-server/` as a process of its own. */
export interface OwnModelServer {
  url: URL;
  stop(): Promise<void>;
}

/**
 * @param python a Python with the server's packages
 * @param settings environment variables of the server
 */
export async function startOwnModelServer(
  python: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnModelServer> {
  const folder = await mkdtemp(join(tmpdir(), 'own-model-server-'));
  const port = await sparePort();
  const logPath = join(folder, 'server.log');
  const log = openSync(logPath, 'a');
  const child = spawn(python, ['-m', 'infernode_model_server'], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      PYTHONPATH: PROJECT,
      MODEL_SERVER_PORT: String(port),
      MODEL_SERVER_DATA_DIR: join(folder, 'data'),
      ...settings,
    },
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const url = new URL(`http://127.0.0.1:${port}/`);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(() => child.exitCode !== null || isReady(url), {
      deadline: START_MS,
      what: 'the model server is ready',
    });
    if (child.exitCode !== null) throw new Error(`The model server ended: ${await readFile(logPath, 'utf8')}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

async function isReady(url: URL): Promise<boolean> {
  try {
    const answer = await fetch(new URL('health', url));
    return ((await answer.json()) as { status: string }).status === 'READY';
  } catch {
    return false; // Not listening yet.
  }
}

async function sparePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
