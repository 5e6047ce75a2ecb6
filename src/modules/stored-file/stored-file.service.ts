import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore, StagedObject } from '../../platform/storage/object-store.port.js';
import { thumbnailKey, type ReservedFile } from './stored-file.domain.js';
import type { StoredFileRepository } from './stored-file.repository.js';

interface Deps {
  store: ObjectStore;
  repositories: { files: StoredFileRepository };
  logger: Logger;
}

/** No file takes this long from its reservation to the row that refers to it. */
const RESERVATION_SECONDS = 24 * 3600;
const BATCH = 200;

/**
 * Files by their content: the same content lies in the store once, however many videos have it.
 *
 * The row of a file comes before the file and goes before it, and no key is used twice. So a file without a row is
 * nobody's, and taking one away late harms nothing that came after it.
 */
export class StoredFileService {
  constructor(private readonly deps: Deps) {}

  /**
   * Puts staged content where it belongs, unless it lies there already, and holds it there. The transaction that writes
   * the reference calls `claim` on its repository; whoever writes none calls `release`.
   */
  async keep(content: StagedObject): Promise<ReservedFile> {
    const { store, repositories } = this.deps;
    const file = await repositories.files.reserve(content, RESERVATION_SECONDS);
    try {
      // Looked at rather than remembered: a file that was lost or cut is whole again after the next upload.
      const stored = await store.stat(file.storageKey);
      if (stored?.bytes === content.bytes) await content.discard();
      else await content.commit(file.storageKey);
    } catch (error) {
      await this.release(file);
      throw error;
    }
    return file;
  }

  /** Takes staged content away. Never throws, like `release`. */
  async discard(content: StagedObject): Promise<void> {
    try {
      await content.discard();
    } catch (error) {
      this.deps.logger.warn('A staged file stays behind', { path: content.path, error });
    }
  }

  /** Lets go of a file, which goes if it was new. Never throws: what stays behind here is the sweeper's. */
  async release(file: ReservedFile): Promise<void> {
    try {
      await this.deps.repositories.files.release(file);
      await this.removeIfUnreferenced(file.storageKey);
    } catch (error) {
      this.deps.logger.warn('A file that nothing refers to stays behind', { key: file.storageKey, error });
    }
  }

  async removeIfUnreferenced(storageKey: string): Promise<boolean> {
    if (!(await this.deps.repositories.files.forget(storageKey))) return false;
    await this.deps.store.delete(storageKey);
    await this.deps.store.delete(thumbnailKey(storageKey));
    return true;
  }

  /** Takes away every file that neither a row nor an upload under way refers to. */
  async removeUnreferenced(): Promise<number> {
    const { files } = this.deps.repositories;
    await files.releaseExpired();
    let removed = 0;
    for (;;) {
      const keys = await files.listUnreferenced(BATCH);
      let forgotten = 0;
      for (const key of keys) if (await this.removeIfUnreferenced(key)) forgotten++;
      removed += forgotten;
      // Where others took all of a batch, another sweeper is at it.
      if (keys.length < BATCH || forgotten === 0) return removed;
    }
  }
}
