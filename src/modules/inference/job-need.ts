import type { ModelRepository } from '../model/model.repository.js';
import { requirementsOf } from '../model/model.domain.js';
import type { RunnerNeed } from '../runner/runner-choice.domain.js';
import type { Job } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';

interface Repositories {
  jobs: Pick<InferenceRepository, 'runnerFailures'>;
  models: Pick<ModelRepository, 'get'>;
}

/** What the next attempt at a job needs of its runner, after what became of those before. */
export async function needOf(job: Job, { jobs, models }: Repositories): Promise<RunnerNeed> {
  const requirements = requirementsOf(job, await models.get(job.model.id));
  const failures = job.attempt === 0 ? [] : await jobs.runnerFailures(job.id);
  return {
    requirements,
    avoided: new Set(failures.map(({ runnerId }) => runnerId)),
    excluded: new Set(failures.filter(({ hasRefused }) => hasRefused).map(({ runnerId }) => runnerId)),
  };
}
