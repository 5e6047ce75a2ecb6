import type { Model } from './model.domain.js';
import { completeSchema } from './model-schema.js';

function presentCommon({ name, version, modality, description, resources, digest, createdAt }: Model) {
  return { name, version, modality, description, resources, digest, created_at: createdAt.toISOString() };
}

/** For users: with all that a job on the model may say. */
export function presentModel(model: Model) {
  return { ...presentCommon(model), parameters: { ...completeSchema(model.parameterSchema) } };
}

/** For administrators: as it was added. */
export function presentManagedModel(model: Model) {
  const { id, parameterSchema, runners, status, updatedAt } = model;
  return {
    id,
    ...presentCommon(model),
    parameter_schema: { ...parameterSchema },
    runners: {
      ...(runners.kinds === undefined ? {} : { kinds: [...runners.kinds] }),
      ...(runners.runners === undefined ? {} : { runners: [...runners.runners] }),
    },
    status,
    updated_at: updatedAt.toISOString(),
  };
}
