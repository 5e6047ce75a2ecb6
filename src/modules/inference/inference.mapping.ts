import type { JobRow } from './inference.dao.js';
import type { Job } from './inference.domain.js';

/** The row as the domain knows it. */
export function toJob(row: JobRow): Job {
  const { progressProcessed: processed, progressTotal: total } = row;
  return {
    id: row.id,
    userId: row.userId,
    datasetId: row.datasetId,
    goalVideoId: row.goalVideoId,
    currentVideoId: row.currentVideoId,
    status: row.status,
    parameters: row.parameters,
    model: { id: row.modelId, name: row.modelName, version: row.modelVersion, parameters: row.modelParameters },
    priority: row.priority,
    cost: row.cost,
    attempt: row.attempt,
    progress: processed === null || total === null ? null : { processed, total },
    errorCode: row.errorCode,
    errorMessage: row.errorMessage,
    cancelRequestedAt: row.cancelRequestedAt,
    stoppedAt: row.stoppedAt,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    retryOf: row.retryOf,
    startDeadline: row.startDeadline,
    timeoutSeconds: row.timeoutSeconds,
    carbonGrams: row.carbonFootprint,
    energyWh: row.energyWh,
  };
}
