import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import type { Page } from '../../platform/page.js';
import type { Video } from '../video/video.domain.js';
import type { VideoRepository } from '../video/video.repository.js';
import type { Dataset, DatasetFilter, ExpectedVersions } from './dataset.domain.js';
import type { DatasetRepository } from './dataset.repository.js';

interface Repositories {
  datasets: DatasetRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
}

export class DatasetService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError name-taken */
  create(userId: string, fields: { name: string; tags: string[] }, once: Once<Dataset>): Promise<Dataset> {
    return this.deps.uow.run(({ repositories }) => repositories.datasets.create(userId, fields), { once });
  }

  list(userId: string, filter: DatasetFilter): Promise<Page<Dataset>> {
    return this.deps.repositories.datasets.list(userId, filter);
  }

  /** @throws AppError not-found */
  async get(userId: string, id: string): Promise<{ dataset: Dataset; videos: Video[] }> {
    // The dataset first: what changes between the two reads makes its version older than its videos, never newer.
    const dataset = await this.deps.repositories.datasets.get(userId, id);
    return { dataset, videos: await this.deps.repositories.videos.listOf(dataset.id) };
  }

  /** @throws AppError not-found, name-taken, precondition-failed */
  update(
    userId: string,
    id: string,
    changes: { name?: string; tags?: string[] },
    expected: ExpectedVersions,
  ): Promise<Dataset> {
    return this.deps.repositories.datasets.update(userId, id, changes, expected);
  }

  /**
   * Frees the name at once. Jobs that wait or run go on, and results stay; files go after the time that deleted videos
   * are kept.
   * @throws AppError not-found, precondition-failed
   */
  delete(userId: string, id: string, expected: ExpectedVersions): Promise<void> {
    return this.deps.uow.run(async ({ repositories }) => {
      await repositories.datasets.delete(userId, id, expected);
      await repositories.videos.deleteAllOf(id);
    });
  }
}
