import { createContainer, type Container } from '../composition/container.js';
import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';
import type { ProcessRole } from './role.js';

type Starter = (container: Container) => Promise<void>;

/** Loaded as needed: a worker never loads Express, nor the API a worker. */
const STARTERS: Record<Exclude<ProcessRole, 'migrate'>, () => Promise<Starter>> = {
  all: async () => (await import('./all.process.js')).startAll,
  api: async () => (await import('./api.process.js')).startApi,
  worker: async () => (await import('./worker.process.js')).startWorkerProcess,
  scheduler: async () => (await import('./scheduler.process.js')).startSchedulerProcess,
};

/** Runs a role until a signal ends it. @returns the exit code */
export async function runProcess(
  role: Exclude<ProcessRole, 'migrate'>,
  config: Config,
  logger: Logger,
): Promise<number> {
  const stopSignal = nextStopSignal();
  const container = await createContainer(config, logger);
  try {
    const start = await STARTERS[role]();
    await start(container);
  } catch (error) {
    await container.lifecycle.stop();
    throw error;
  }
  const signal = await stopSignal;
  logger.info('Shutting down', { signal });
  return stopWithin(container, config.settings.SHUTDOWN_TIMEOUT * 1000, logger);
}

/** From the first moment on, so that a signal during the start is not lost. */
function nextStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

async function stopWithin({ lifecycle }: Container, milliseconds: number, logger: Logger): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<number>((resolve) => {
    timer = setTimeout(() => {
      logger.error('The shutdown took too long; ending all the same');
      resolve(1);
    }, milliseconds);
  });
  const orderly = lifecycle.stop().then(
    () => 0,
    () => 1,
  );
  const code = await Promise.race([orderly, deadline]);
  clearTimeout(timer);
  return code;
}
