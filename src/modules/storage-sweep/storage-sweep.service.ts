import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import { CHECKPOINT_PREFIX } from '../inference/checkpoint.domain.js';
import type { CheckpointRepository } from '../inference/checkpoint.repository.js';
import { RESULT_PREFIX } from '../result/result.domain.js';
import type { ResultRepository } from '../result/result.repository.js';
import { FILE_PREFIX, fileOfThumbnail, THUMBNAIL_PREFIX } from '../stored-file/stored-file.domain.js';
import type { StoredFileRepository } from '../stored-file/stored-file.repository.js';
import type { StoredFileService } from '../stored-file/stored-file.service.js';

interface Deps {
  store: ObjectStore;
  files: StoredFileService;
  repositories: { checkpoints: CheckpointRepository; files: StoredFileRepository; results: ResultRepository };
  logger: Logger;
  /** Younger files may belong to work that is going on. */
  minimumAgeMs: number;
}

const BATCH = 500;

/** Takes away files that no row refers to: what a crash left between writing a file and committing its row. */
export class StorageSweepService {
  constructor(private readonly deps: Deps) {}

  async sweep(now: Date): Promise<number> {
    const before = new Date(now.getTime() - this.deps.minimumAgeMs);
    const { checkpoints, files, results } = this.deps.repositories;
    const removed =
      (await this.deps.store.sweepStaging(before)) +
      (await this.deps.files.removeUnreferenced()) +
      (await this.sweepPrefix(FILE_PREFIX, before, (keys) => files.knownKeys(keys))) +
      (await this.sweepPrefix(THUMBNAIL_PREFIX, before, async (keys) => {
        const known = await files.knownKeys(keys.map(fileOfThumbnail));
        return new Set(keys.filter((key) => known.has(fileOfThumbnail(key))));
      })) +
      (await this.sweepPrefix(RESULT_PREFIX, before, (keys) => results.knownArchiveKeys(keys))) +
      (await this.sweepPrefix(CHECKPOINT_PREFIX, before, (keys) => checkpoints.knownPicturesKeys(keys)));
    if (removed > 0) this.deps.logger.info('Removed files that nothing refers to', { removed });
    return removed;
  }

  private async sweepPrefix(
    prefix: string,
    before: Date,
    known: (keys: readonly string[]) => Promise<Set<string>>,
  ): Promise<number> {
    let removed = 0;
    let batch: string[] = [];
    const flush = async (): Promise<void> => {
      const kept = await known(batch);
      for (const key of batch) {
        if (kept.has(key)) continue;
        await this.deps.store.delete(key);
        removed++;
      }
      batch = [];
    };
    for await (const { key, modifiedAt } of this.deps.store.list(prefix)) {
      if (modifiedAt >= before) continue;
      batch.push(key);
      if (batch.length === BATCH) await flush();
    }
    if (batch.length > 0) await flush();
    return removed;
  }
}
