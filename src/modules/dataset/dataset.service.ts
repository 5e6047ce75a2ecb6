import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import type { Page } from '../../platform/page.js';
import type { Video } from '../video/video.domain.js';
import type { VideoRepository } from '../video/video.repository.js';
import type { Dataset, DatasetFilter } from './dataset.domain.js';
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

  async get(userId: string, id: string): Promise<{ dataset: Dataset; videos: Video[] }> {
    const dataset = await this.deps.repositories.datasets.get(userId, id);
    return { dataset, videos: await this.deps.repositories.videos.listOf(dataset.id) };
  }

  update(userId: string, id: string, changes: { name?: string; tags?: string[] }): Promise<Dataset> {
    return this.deps.repositories.datasets.update(userId, id, changes);
  }

  delete(userId: string, id: string): Promise<void> {
    return this.deps.repositories.datasets.delete(userId, id);
  }
}
