import type { StoredInferenceResult } from '../../contract/inference.contract.js';
import type { NewEvent } from '../event/event.domain.js';
import type { Job } from './inference.domain.js';

/** The log entry that tells where a job stands now. */
export function statusEvent(job: Job, result?: StoredInferenceResult): NewEvent {
  return {
    type: 'INFERENCE_STATUS_UPDATE',
    subjectId: job.id,
    data: {
      inferenceId: job.id,
      status: job.status,
      ...(job.attempt > 0 ? { attempt: job.attempt } : {}),
      ...(job.progress === null || job.status !== 'RUNNING' ? {} : { progress: job.progress }),
      ...(result === undefined
        ? {}
        : {
            result: {
              requestId: result.requestId,
              carbon_footprint: result.carbon_footprint,
              download_url: result.download_url,
              message: result.message,
            },
          }),
      ...(job.errorMessage === null || job.status === 'RUNNING' || job.status === 'COMPLETED'
        ? {}
        : { errorMessage: job.errorMessage }),
    },
  };
}
