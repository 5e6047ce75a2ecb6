import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import type { ResultRepository } from './result.repository.js';

interface Deps {
  repositories: { results: ResultRepository };
  store: ObjectStore;
  logger: Logger;
}

const BATCH = 200;

/** Removes results whose time is over. Several may run at once: each takes rows that no other has. */
export class ResultExpiryService {
  constructor(private readonly deps: Deps) {}

  async removeExpired(): Promise<void> {
    let removed = 0;
    for (;;) {
      // The rows first: what a crash leaves of the files, the sweeper takes away.
      const keys = await this.deps.repositories.results.removeExpired(BATCH);
      for (const key of keys) await this.deps.store.delete(key);
      removed += keys.length;
      if (keys.length < BATCH) break;
    }
    if (removed > 0) this.deps.logger.info('Removed expired results', { removed });
  }
}
