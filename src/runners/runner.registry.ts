import { createEmbeddedRunner, type EmbeddedRunnerOptions } from './embedded/embedded.runner.js';
import type { FastApiRunnerOptions } from './fastapi/fastapi.options.js';
import { createFastApiRunner } from './fastapi/fastapi.runner.js';
import type { Runner } from './runner.port.js';

/** What each kind of runner is made from. A new kind is one line here and one in the table below. */
export interface RunnerOptions {
  embedded: EmbeddedRunnerOptions;
  fastapi: FastApiRunnerOptions;
}

export type RunnerKind = keyof RunnerOptions;

type RunnerFactories = { [Kind in RunnerKind]: (options: RunnerOptions[Kind]) => Runner };

/** A kind without a factory does not compile. */
export const runnerFactories: RunnerFactories = {
  embedded: createEmbeddedRunner,
  fastapi: createFastApiRunner,
};

export const RUNNER_KINDS = Object.keys(runnerFactories) as RunnerKind[];

/** Makes a runner of the given kind; nothing is started before its first job. */
export function createRunner<Kind extends RunnerKind>(kind: Kind, options: RunnerOptions[Kind]): Runner {
  return runnerFactories[kind](options);
}
