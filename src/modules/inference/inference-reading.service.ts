import { notFound } from '../../platform/app-error.js';
import type { Page } from '../../platform/page.js';
import type { Job, JobFilter } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';
import type { JobView } from './job-view.domain.js';
import type { JobViewQueries } from './job-view.queries.js';

interface Deps {
  repositories: { jobs: InferenceRepository; jobViews: JobViewQueries };
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
    return view;
  }

  /** @throws AppError not-found */
  status(userId: string, id: string): Promise<Job> {
    return this.deps.repositories.jobs.getOwned(userId, id);
  }
}
