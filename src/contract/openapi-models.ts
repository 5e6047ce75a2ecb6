import { runParametersDocument } from './model.contract.js';
import { exampleOf } from './openapi-examples.js';

/** One active version of a model as the document shows it. */
export interface DocumentedModel {
  name: string;
  version: string;
  /** The name without a version stands for it. */
  isNewest: boolean;
  description: string;
  /** JSON Schema of the parameters of a job. */
  parameters: Readonly<Record<string, unknown>>;
}

/** What every installation has, and jobs run that name no model. */
const DEFAULT_NAME = 'cns';
export const DOCUMENTED_CNS: DocumentedModel = {
  name: DEFAULT_NAME,
  version: '1',
  isNewest: true,
  description: '',
  parameters: runParametersDocument(),
};

interface Schema extends Readonly<Record<string, unknown>> {
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  oneOf?: readonly Schema[];
}

interface Media {
  schema: Schema;
  example?: unknown;
  examples?: Examples;
}

type Examples = Readonly<Record<string, { summary: string; value: unknown }>>;

interface Operation extends Readonly<Record<string, unknown>> {
  requestBody?: { content: Readonly<Record<string, Media>> };
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const JSON_TYPE = 'application/json';
const ANY_PARAMETERS = '#/components/schemas/InferenceParameters';

/**
 * The document with models in it: a body that takes parameters of a job becomes one for each model, with the parameters
 * of that model and an example. The document that is given stays as it is.
 * @param isComplete false when there are more models, which take what every run takes and more
 */
export function documentModels<Document extends { paths?: object; components?: { schemas?: object } }>(
  document: Document,
  models: readonly DocumentedModel[],
  isComplete = true,
): Document {
  const paths = Object.fromEntries(
    Object.entries((document.paths ?? {}) as Paths).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([method, operation]) => [method, inOperation(operation, models, isComplete)]),
      ),
    ]),
  );
  const added = Object.fromEntries(models.map((model) => [componentOf(model), toComponent(model)]));
  const components = { ...document.components, schemas: { ...document.components?.schemas, ...added } };
  return { ...document, paths, components };
}

function inOperation(operation: Operation, models: readonly DocumentedModel[], isComplete: boolean): Operation {
  const media = operation.requestBody?.content[JSON_TYPE];
  if (media === undefined) return operation;
  const { schema } = media;
  const choices = schema.oneOf ?? [schema];
  const base = choices.find((choice) => choice.properties?.['parameters']?.['$ref'] === ANY_PARAMETERS);
  if (base === undefined) return operation;
  const variants = [...models.map((model) => toVariant(base, model)), ...(isComplete ? [] : [base])];
  if (variants.length === 0) return operation;
  const all = choices.flatMap((choice) => (choice === base ? variants : [choice]));
  const told: Media = {
    schema: all.length === 1 ? all[0] : { anyOf: all },
    ...(models.length === 1 && isDefault(models[0])
      ? { example: media.example }
      : { examples: examplesOf(media, base, models) }),
  };
  return { ...operation, requestBody: { ...operation.requestBody, content: { [JSON_TYPE]: told } } };
}

/** Tells whether jobs that name no model run this one. */
const isDefault = ({ name, isNewest }: DocumentedModel): boolean => isNewest && name === DEFAULT_NAME;

/** The body of a request on one model. */
function toVariant(base: Schema, model: DocumentedModel): Schema {
  const { name, isNewest } = model;
  const reference = {
    type: 'string',
    enum: [...(isNewest ? [name] : []), fullName(model)],
    description: isDefault(model) ? 'Default.' : `The model ${fullName(model)}.`,
  };
  const parameters = { $ref: `#/components/schemas/${componentOf(model)}` };
  // Examples of the whole are of a request that names no model.
  const { example, ...rest } = base;
  return {
    ...(isDefault(model) && example !== undefined ? { ...rest, example } : rest),
    title: `On ${isNewest ? name : fullName(model)}`,
    properties: { ...base.properties, model: reference, parameters },
    required: [...(base.required ?? []), ...(isDefault(model) ? [] : ['model'])],
  };
}

/** One for each model that an example can be made for, after those of the body without a model. */
function examplesOf(media: Media, base: Schema, models: readonly DocumentedModel[]): Examples {
  const request = exampleOf({ ...base, example: undefined }, { InferenceParameters: { example: {} } }) ?? {};
  const ofModels = models
    .map((model) => ({ model, parameters: exampleOf(model.parameters) }))
    .filter(({ parameters }) => parameters !== undefined)
    .map(({ model, parameters }) => {
      const reference = model.isNewest ? model.name : fullName(model);
      const summary = model.description === '' ? `On ${reference}` : model.description.slice(0, 200);
      return [reference, { summary, value: { ...request, model: reference, parameters } }] as const;
    });
  const withoutModel = ['default', { summary: 'Without a model', value: media.example }] as const;
  return Object.fromEntries<Examples[string]>(models.some(isDefault) ? [withoutModel, ...ofModels] : ofModels);
}

/** As a component, references within it start at the document. */
function toComponent({ parameters, ...model }: DocumentedModel): Schema {
  const { $schema: _dialect, ...schema } = rebase(parameters, `#/components/schemas/${componentOf(model)}`) as Schema;
  return { title: `Parameters on ${fullName(model)}`, ...schema };
}

function rebase(value: unknown, root: string): unknown {
  if (Array.isArray(value)) return (value as unknown[]).map((item) => rebase(item, root));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [
      name,
      name === '$ref' && typeof child === 'string' ? `${root}${child.slice(1)}` : rebase(child, root),
    ]),
  );
}

const fullName = ({ name, version }: Pick<DocumentedModel, 'name' | 'version'>): string => `${name}@${version}`;

/** Names of models have no two "_" in a row, and versions no "_" at all, so that these are as different as their models. */
const componentOf = ({ name, version, isNewest }: Omit<DocumentedModel, 'parameters'>): string =>
  ['InferenceParameters', name, ...(isNewest ? [] : [version.replaceAll('+', '_')])].join('__');
