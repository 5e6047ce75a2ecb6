import type { Runner, RunnerDescription } from '../../runners/runner.port.js';
import { isEmbedded, type RunnerReference } from './runner.domain.js';

/** A runner with a place for a job. */
export interface Place {
  reference: RunnerReference;
  runner: Runner;
  /** Gives the place in this process back. That on the runner goes with the attempt. */
  release(): void;
}

/** What a result says about the runner it is of: a server goes by the name that it has here. */
export function runnerOf({ reference, runner }: Place): Pick<RunnerDescription, 'kind' | 'name' | 'version'> {
  const { kind, name, version } = runner.describe();
  return isEmbedded(reference) ? { kind, name, version } : { kind: reference.kind, name: reference.name, version };
}
