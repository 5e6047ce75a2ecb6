import type { z } from 'zod';
import { cnsParametersSchema } from '../../contract/inference.contract.js';
import { AppError, invalidField, type FieldError } from '../../platform/app-error.js';
import { findUnstorable } from '../../platform/database/storable-json.js';
import { SchemaChecks } from '../../platform/json-schema/schema-checks.js';
import type { Model } from './model.domain.js';
import { completeSchema, isRunField } from './model-schema.js';

/** More models than most installations have. */
const MOST_CHECKS = 200;
/** A request full of mistakes is told about so many of them. */
const MOST_ERRORS = 20;
const LONGEST_PATH = 100;

export interface CheckedParameters {
  /** What every run takes. */
  run: z.output<typeof cnsParametersSchema>;
  /** What the model adds; defaults filled. */
  own: Readonly<Record<string, unknown>>;
}

/** Holds the parameters of jobs against the schemas of their models. */
export class ModelParameters {
  private readonly checks = new SchemaChecks(MOST_CHECKS);

  /**
   * @param given as the contract has parsed it; is left as it is
   * @throws AppError validation-failed, with a path below `parameters` for each mistake
   */
  check(
    model: Pick<Model, 'parameterSchema' | 'resources'>,
    given: Readonly<Record<string, unknown>>,
  ): CheckedParameters {
    const parameters = structuredClone(given);
    const violations = this.checks.of(completeSchema(model.parameterSchema))(parameters);
    if (violations.length > 0) throw refusal(violations.map(({ path, message }) => toFieldError(path, message)));
    const unstorable = findUnstorable(parameters);
    if (unstorable !== null) {
      throw refusal([toFieldError(unstorable, 'Text cannot hold NUL or broken characters, numbers are finite.')]);
    }
    const fields = Object.entries(parameters);
    const run = cnsParametersSchema.parse(Object.fromEntries(fields.filter(([name]) => isRunField(name))));
    if (model.resources.gpu === 'required' && !run.useGpus) {
      throw invalidField('parameters.useGpus', 'This model runs on a GPU only.');
    }
    return { run, own: Object.fromEntries(fields.filter(([name]) => !isRunField(name))) };
  }
}

const toFieldError = (path: readonly string[], message: string): FieldError => ({
  path: ['parameters', ...path].join('.').slice(0, LONGEST_PATH),
  message,
});

function refusal(errors: readonly FieldError[]): AppError {
  const [first] = errors;
  const detail = `${first.path}: ${first.message}${errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`}`;
  return new AppError('validation-failed', detail, { errors: errors.slice(0, MOST_ERRORS) });
}
