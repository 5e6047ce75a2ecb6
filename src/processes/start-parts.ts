import type { Container } from '../composition/container.js';
import { createAccessWatch, createGateway, createHandshakeLimit, createHttpApp } from '../composition/http.js';
import {
  createScheduler,
  createWebhookBells,
  createWorkerHost,
  createWorkerSchedules,
} from '../composition/workers.js';
import { HttpServer } from '../http/http-server.js';

/** Listens for requests and sockets. @returns the port, which the system chose if the setting was 0 */
export async function startHttp(container: Container): Promise<number> {
  const { config, lifecycle, logger } = container;
  const access = createAccessWatch(container);
  const gateway = createGateway(container, access);
  const server = new HttpServer(createHttpApp(container, access), gateway, createHandshakeLimit(container));
  const port = await server.listen(config.settings.PORT, config.settings.HOST);
  const drainMs = (config.settings.SHUTDOWN_TIMEOUT * 1000) / 3;
  lifecycle.register('intake', 'http server', () => server.close(drainMs));
  lifecycle.register('intake', 'websocket gateway', async () => {
    await gateway.close();
    access.close();
  });
  logger.info('Listening', { port });
  return port;
}

export async function startWorker(container: Container): Promise<void> {
  const host = createWorkerHost(container);
  await host.start();
  const schedules = createWorkerSchedules(host, container);
  schedules.start();
  container.lifecycle.register('intake', 'worker', () => host.stop());
  container.lifecycle.register('intake', 'schedules of the worker', () => schedules.stop());
  container.logger.info('Working', { concurrency: container.config.workerConcurrency ?? 'as many as there are slots' });
}

export function startScheduler(container: Container): void {
  const scheduler = createScheduler(container);
  scheduler.start();
  const bells = createWebhookBells(container);
  container.lifecycle.register('intake', 'scheduler', () => scheduler.stop());
  container.lifecycle.register('intake', 'webhook bells', () => bells.close());
  container.logger.info('Scheduling', { everySeconds: container.config.settings.RECONCILE_INTERVAL });
}
