import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Container } from '../composition/container.js';
import { createGateway, createHttpApp } from '../composition/http.js';
import { createScheduler, createWorkerHost } from '../composition/workers.js';

const HEADERS_TIMEOUT_MS = 30_000;
/** An upload may take its time as long as it moves; what does not move is ended by the upload itself. */
const REQUEST_TIMEOUT_MS = 6 * 3600 * 1000;
const KEEP_ALIVE_MS = 10_000;
const IDLE_CHECK_MS = 100;

/** Listens for requests and sockets. @returns the port, which the system chose if the setting was 0 */
export async function startHttp(container: Container): Promise<number> {
  const { config, infrastructure, lifecycle, logger } = container;
  await infrastructure.bus.start();
  const server = createServer(createHttpApp(container));
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const gateway = createGateway(container);
  gateway.attach(server);
  const port = await listen(server, config.settings.PORT, config.settings.HOST);
  const drainMs = (config.settings.SHUTDOWN_TIMEOUT * 1000) / 3;
  lifecycle.register('intake', 'http server', () => closeServer(server, drainMs));
  lifecycle.register('intake', 'websocket gateway', () => gateway.close());
  logger.info('Listening', { port });
  return port;
}

export function startWorker(container: Container): void {
  const host = createWorkerHost(container);
  host.start();
  container.lifecycle.register('intake', 'worker', () => host.stop());
  container.logger.info('Working', { concurrency: container.config.workerConcurrency });
}

export function startScheduler(container: Container): void {
  const scheduler = createScheduler(container);
  scheduler.start();
  container.lifecycle.register('intake', 'scheduler', () => scheduler.stop());
  container.logger.info('Scheduling', { everySeconds: container.config.settings.RECONCILE_INTERVAL });
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes no new connection; running requests may get to their end for a while, then they are cut off. */
function closeServer(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // A connection that has had its answer is kept for the next request, also now.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    const cut = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close((error) => {
      clearInterval(idle);
      clearTimeout(cut);
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}
