import type { InferenceExecutionService } from '../../modules/inference/inference-execution.service.js';
import type { JobHandler } from '../job-catalog.js';

export function runInferenceHandler(execution: InferenceExecutionService): JobHandler<'run-inference'> {
  return ({ inferenceId }, shutdown) => execution.execute(inferenceId, shutdown);
}
