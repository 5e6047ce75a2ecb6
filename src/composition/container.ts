import { RunnerDirectory } from '../modules/runner/runner-directory.js';
import type { Config } from '../platform/config/load-config.js';
import { Lifecycle } from '../platform/lifecycle.js';
import type { Logger } from '../platform/logging/logger.js';
import { atMost, systemResolve, type Resolve } from '../platform/outbound/outbound-client.js';
import { Permits } from '../platform/permits.js';
import type { Runner } from '../runners/runner.port.js';
import { createInfrastructure, type Infrastructure } from './infrastructure.js';
import { createEmbeddedEngine, createRunnerMaker, type MakeRunner } from './runners.js';
import { createServices, type Services } from './services.js';

export interface Container {
  config: Config;
  logger: Logger;
  lifecycle: Lifecycle;
  infrastructure: Infrastructure;
  /** The engine inside this process; null where settings want none. */
  runner: Runner | null;
  services: Services;
}

/** What tests put in place of the real thing; everything else stays real. */
export interface ContainerOverrides {
  /** Of the embedded engine. */
  runner?: Runner;
  /** Of the clients of model servers. */
  makeRunner?: MakeRunner;
  /** Finds the addresses of receivers of webhooks. */
  resolve?: Resolve;
}

/** Half of the threads that Node has for them and for everything else that would block. */
const NAME_LOOKUPS = 2;

/** Builds everything, bottom up, and starts nothing that takes in work. When it rejects, what was begun is ended. */
export async function createContainer(
  config: Config,
  logger: Logger,
  overrides: ContainerOverrides = {},
): Promise<Container> {
  const lifecycle = new Lifecycle(logger, config.settings.SHUTDOWN_TIMEOUT * 1000);
  try {
    const infrastructure = await createInfrastructure(config, lifecycle, logger);
    const runner = overrides.runner ?? (await createEmbeddedEngine(config, logger));
    if (runner !== null) lifecycle.register('work', 'embedded engine', () => runner.close());
    const makeRunner = overrides.makeRunner ?? createRunnerMaker(config, infrastructure.secrets, logger);
    const directory = new RunnerDirectory({ embedded: runner, make: makeRunner, logger });
    lifecycle.register('work', 'runners', () => directory.close());
    const resolve = overrides.resolve ?? atMost(new Permits(NAME_LOOKUPS), systemResolve);
    const services = createServices({ config, infrastructure, directory, resolve, logger, shutdown: lifecycle.signal });
    lifecycle.register('work', 'uploads', () => services.uploads.close());
    lifecycle.register('work', 'runner pool', () => services.runnerPool.close());
    await services.runnerSetup.apply();
    await services.models.renewCns(runner?.describe().models.cns?.digest ?? null);
    return { config, logger, lifecycle, infrastructure, runner, services };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}
