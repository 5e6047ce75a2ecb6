import type { Dataset } from './dataset.domain.js';

export function presentDataset(dataset: Dataset) {
  return { ...presentListedDataset(dataset), user_id: dataset.userId };
}

/** As lists and the single view show it: without the owner, who is the caller. */
export function presentListedDataset(dataset: Dataset) {
  return {
    id: dataset.id,
    name: dataset.name,
    tags: dataset.tags,
    version: dataset.version,
    created_at: dataset.createdAt.toISOString(),
    updated_at: dataset.updatedAt.toISOString(),
  };
}
