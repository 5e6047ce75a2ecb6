import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { StoredFileService } from '../stored-file/stored-file.service.js';
import type { VideoRepository } from './video.repository.js';

interface Deps {
  uow: UnitOfWork<{ videos: VideoRepository }>;
  files: StoredFileService;
  logger: Logger;
  /** How long the file of a deleted video is kept. */
  retentionSeconds: number;
}

const BATCH = 200;

/** Takes the files of videos that were deleted long enough ago and that no job still needs. */
export class VideoRetentionService {
  constructor(private readonly deps: Deps) {}

  /** @returns how many videos have lost their file */
  async purge(): Promise<number> {
    let purged = 0;
    for (;;) {
      const batch = await this.deps.uow.run(({ repositories }) =>
        repositories.videos.purgeDeleted(this.deps.retentionSeconds, BATCH),
      );
      // Row before file: what a crash leaves between the two is found by the sweep of files that nothing refers to.
      for (const key of new Set(batch)) await this.deps.files.removeIfUnreferenced(key);
      purged += batch.length;
      if (batch.length === 0) break;
    }
    if (purged > 0) this.deps.logger.info('Removed the files of deleted videos', { videos: purged });
    return purged;
  }
}
