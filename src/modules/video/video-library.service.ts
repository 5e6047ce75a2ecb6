import type { Readable } from 'node:stream';
import { AppError } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Page, PageRequest } from '../../platform/page.js';
import { ObjectMissingError, type ByteRange, type ObjectStore } from '../../platform/storage/object-store.port.js';
import type { DatasetRepository } from '../dataset/dataset.repository.js';
import type { Video } from './video.domain.js';
import type { VideoRepository } from './video.repository.js';

interface Repositories {
  datasets: DatasetRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  store: ObjectStore;
}

/** Which video of whose dataset. */
export interface VideoAddress {
  userId: string;
  datasetId: string;
  videoId: string;
}

/** What users do with the videos that they have. */
export class VideoLibraryService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError not-found */
  async list(userId: string, datasetId: string, page: PageRequest): Promise<Page<Video>> {
    await this.deps.repositories.datasets.get(userId, datasetId);
    return this.deps.repositories.videos.page(datasetId, page);
  }

  /** @throws AppError not-found */
  async get({ userId, datasetId, videoId }: VideoAddress): Promise<Video> {
    await this.deps.repositories.datasets.get(userId, datasetId);
    return this.deps.repositories.videos.getLive(datasetId, videoId);
  }

  /** @throws AppError not-found */
  rename({ userId, datasetId, videoId }: VideoAddress, name: string): Promise<Video> {
    return this.deps.uow.run(async ({ repositories }) => {
      await repositories.datasets.touch(userId, datasetId);
      return repositories.videos.rename(datasetId, videoId, name);
    });
  }

  /**
   * Its file stays for those jobs that wait or run, and for the time that deleted videos are kept.
   * @throws AppError not-found
   */
  delete({ userId, datasetId, videoId }: VideoAddress): Promise<void> {
    return this.deps.uow.run(async ({ repositories }) => {
      // Also waits for submissions that are choosing among the videos of the dataset.
      await repositories.datasets.touch(userId, datasetId);
      await repositories.videos.delete(datasetId, videoId);
    });
  }

  async open({ storageKey }: Video, range?: ByteRange): Promise<Readable> {
    try {
      return (await this.deps.store.read(storageKey, range)).stream;
    } catch (error) {
      if (!(error instanceof ObjectMissingError)) throw error;
      throw new AppError('internal-error', 'The file of this video is missing from the storage.', { cause: error });
    }
  }
}
