import type { InferenceResult } from '../../contract/inference.contract.js';
import { AppError, notFound } from '../../platform/app-error.js';
import type { Page } from '../../platform/page.js';
import { ObjectMissingError, type ObjectStore } from '../../platform/storage/object-store.port.js';
import type { StoredResult } from '../result/result.domain.js';
import type { ResultRepository } from '../result/result.repository.js';
import { isFinal, type Job, type JobFilter } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';
import type { JobView } from './job-view.domain.js';
import type { JobViewQueries } from './job-view.queries.js';

interface Deps {
  repositories: { jobs: InferenceRepository; jobViews: JobViewQueries; results: ResultRepository };
  store: ObjectStore;
}

/** What owners see of their jobs; another's job does not exist here. */
export class InferenceReadingService {
  constructor(private readonly deps: Deps) {}

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

  /** @throws AppError not-found, result-not-ready, job-without-result */
  async result(userId: string, id: string): Promise<InferenceResult> {
    return (await this.storedResult(userId, id)).payload;
  }

  /** @throws AppError not-found, result-not-ready, job-without-result */
  async archive(userId: string, id: string) {
    const { archive } = await this.storedResult(userId, id);
    try {
      return { ...(await this.deps.store.read(archive.key)), sha256: archive.sha256 };
    } catch (error) {
      if (!(error instanceof ObjectMissingError)) throw error;
      throw new AppError('internal-error', 'The archive of this result is missing from the storage.', { cause: error });
    }
  }

  private async storedResult(userId: string, id: string): Promise<StoredResult> {
    const job = await this.deps.repositories.jobs.getOwned(userId, id);
    if (!isFinal(job.status)) {
      throw new AppError('result-not-ready', `The job is ${job.status}; its result comes with COMPLETED.`);
    }
    const result = await this.deps.repositories.results.ofJob(id);
    if (result === null) {
      throw new AppError(
        'job-without-result',
        `The job is ${job.status}: ${job.errorMessage ?? 'there is no result.'}`,
      );
    }
    return result;
  }
}
