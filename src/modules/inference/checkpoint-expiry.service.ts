import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import type { CheckpointRepository } from './checkpoint.repository.js';

interface Deps {
  uow: UnitOfWork<{ checkpoints: CheckpointRepository }>;
  store: Pick<ObjectStore, 'delete'>;
  logger: Logger;
  /** How long a job that ended without a result can be repeated from where it stopped. */
  retentionSeconds: number;
}

const BATCH = 50;

/** Removes checkpoints that no retry has asked for in time. Several may run at once: each takes rows that no other has. */
export class CheckpointExpiryService {
  constructor(private readonly deps: Deps) {}

  async removeExpired(): Promise<void> {
    for (;;) {
      const { removed, orphanedKeys } = await this.deps.uow.run(({ repositories }) =>
        repositories.checkpoints.removeEnded(this.deps.retentionSeconds, BATCH),
      );
      // The rows first: what a crash leaves of the files, the sweeper takes away.
      for (const key of orphanedKeys) await this.deps.store.delete(key);
      if (removed > 0) this.deps.logger.info('Removed checkpoints of ended jobs', { removed });
      if (removed < BATCH) return;
    }
  }
}
