import type { DocumentedModel } from '../../contract/openapi-models.js';
import type { Model } from './model.domain.js';
import { completeSchema } from './model-schema.js';

function presentCommon({ name, version, modality, description, resources, digest, createdAt }: Model) {
  return { name, version, modality, description, resources, digest, created_at: createdAt.toISOString() };
}

/** For users: with all that a job on the model may say. */
export function presentModel(model: Model) {
  return { ...presentCommon(model), parameters: { ...completeSchema(model.parameterSchema) } };
}

/** For the OpenAPI document. */
export function presentDocumentedModel({ model, isNewest }: { model: Model; isNewest: boolean }): DocumentedModel {
  const { name, version, description, parameterSchema } = model;
  return { name, version, isNewest, description, parameters: completeSchema(parameterSchema) };
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
      ...(runners.names === undefined ? {} : { names: [...runners.names] }),
    },
    status,
    updated_at: updatedAt.toISOString(),
  };
}
