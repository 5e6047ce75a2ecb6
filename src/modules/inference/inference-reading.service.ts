import { notFound } from '../../platform/app-error.js';
import type { Page } from '../../platform/page.js';
import type { ModelRepository } from '../model/model.repository.js';
import type { RunnerService } from '../runner/runner.service.js';
import type { Job, JobFilter } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';
import { needOf } from './job-need.js';
import type { JobView, Wait } from './job-view.domain.js';
import type { JobViewQueries } from './job-view.queries.js';

interface Deps {
  repositories: { jobs: InferenceRepository; jobViews: JobViewQueries; models: ModelRepository };
  runners: Pick<RunnerService, 'obstacle'>;
}

/** What owners see of their jobs; another's job does not exist here. */
export class InferenceReadingService {
  constructor(private readonly deps: Deps) {}

  /** In the order of `ids`. */
  statuses(userId: string, ids: readonly string[]): Promise<Pick<Job, 'id' | 'status'>[]> {
    return this.deps.repositories.jobs.statusesOf(userId, ids);
  }

  list(userId: string, filter: JobFilter): Promise<Page<Job>> {
    return this.deps.repositories.jobs.list(userId, filter);
  }

  /** @throws AppError not-found */
  async view(userId: string, id: string): Promise<JobView> {
    const view = await this.deps.repositories.jobViews.findOwned(userId, id);
    if (view === null) throw notFound('job');
    return { ...view, wait: await this.explain(view) };
  }

  /** @throws AppError not-found */
  status(userId: string, id: string): Promise<Job> {
    return this.deps.repositories.jobs.getOwned(userId, id);
  }

  /** A job that no runner can take now waits for that, however long its queue is. */
  private async explain({ job, wait }: JobView): Promise<Wait | null> {
    if (wait?.reason !== 'queued') return wait;
    const obstacle = await this.deps.runners.obstacle(await needOf(job, this.deps.repositories));
    // Behind others it waits for them; the first one waits for a place.
    if (obstacle === null || (obstacle === 'runners-busy' && wait.ahead > 0)) return wait;
    return { reason: obstacle, ahead: wait.ahead };
  }
}
