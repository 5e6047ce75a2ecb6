import { createEmbeddedRunner, type EmbeddedRunnerOptions } from './embedded/embedded.runner.js';
import type { FastApiRunnerOptions } from './fastapi/fastapi.options.js';
import { createFastApiRunner } from './fastapi/fastapi.runner.js';
import type { RemoteRunnerOptions } from './http-kit/remote-options.js';
import { createKserveRunner, type KserveRunnerOptions } from './kserve/kserve.runner.js';
import type { Runner } from './runner.port.js';

/** What each kind of runner is made from. A new kind is one line here and one in the table below. */
export interface RunnerOptions {
  embedded: EmbeddedRunnerOptions;
  fastapi: FastApiRunnerOptions;
  kserve: KserveRunnerOptions;
}

export type RunnerKind = keyof RunnerOptions;

type RunnerFactories = { [Kind in RunnerKind]: (options: RunnerOptions[Kind]) => Runner };

/** Kinds that are reached over the network; all are made from the same options, but for what they alone know. */
const remoteFactories: Omit<RunnerFactories, 'embedded'> = {
  fastapi: createFastApiRunner,
  kserve: createKserveRunner,
};

/** A kind without a factory does not compile. */
export const runnerFactories: RunnerFactories = {
  embedded: createEmbeddedRunner,
  ...remoteFactories,
};

export const RUNNER_KINDS = Object.keys(runnerFactories) as RunnerKind[];

/** Makes a runner of the given kind; nothing is started before its first job. */
export function createRunner<Kind extends RunnerKind>(kind: Kind, options: RunnerOptions[Kind]): Runner {
  return runnerFactories[kind](options);
}

/**
 * Makes the client of a model server.
 * @throws RangeError for a kind that this version does not have: a row may be of another one
 */
export function createRemoteRunner(kind: string, options: RemoteRunnerOptions): Runner {
  const factories: Readonly<Partial<Record<string, (options: RemoteRunnerOptions) => Runner>>> = remoteFactories;
  const factory = factories[kind];
  if (factory === undefined) throw new RangeError(`This version has no runners of the kind "${kind}".`);
  return factory(options);
}
