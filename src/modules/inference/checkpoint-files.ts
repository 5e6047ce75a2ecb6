import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';

/** Nothing refers to them any more: what stays behind the sweeper takes away. */
export async function removeCheckpointFiles(
  store: Pick<ObjectStore, 'delete'>,
  keys: readonly string[],
  logger: Logger,
): Promise<void> {
  try {
    for (const key of keys) await store.delete(key);
  } catch (error) {
    logger.warn('Files of checkpoints stay behind for the sweeper', { error });
  }
}
