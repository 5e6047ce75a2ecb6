import { z } from 'zod';
import { cnsParametersSchema } from './inference.contract.js';
import { modelNameSchema, modelReferenceSchema, modelVersionSchema } from './model-name.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  nextCursorSchema,
  pageQuery,
  timeSchema,
  visibleText,
} from './route.contract.js';

/** What a model works on. `video-pair`: a goal video and a current one, whose frames get a velocity each. */
export const MODEL_MODALITIES = ['video-pair'] as const;
export type ModelModality = (typeof MODEL_MODALITIES)[number];

/** `disabled`: takes no new jobs; those that were submitted run. */
export const MODEL_STATUSES = ['active', 'disabled'] as const;
export type ModelStatus = (typeof MODEL_STATUSES)[number];

const GPU_NAMES = ['required', 'preferred', 'none'] as const;

/**
 * What every run takes, as JSON Schema 2020-12. It is the whole of what `cns` takes.
 * @returns a document of its own for each caller
 */
export function runParametersDocument(): Record<string, unknown> {
  const document = z.toJSONSchema(cnsParametersSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // The keyword of OpenAPI 3.0, which JSON Schema has under another name.
      if (jsonSchema['example'] === undefined) return;
      jsonSchema.examples = [jsonSchema['example']];
      delete jsonSchema['example'];
    },
  });
  return { ...document };
}

/** Whatever it says in detail is checked by the server: only there is a compiler of schemas. */
const givenSchema = z.record(z.string(), z.unknown()).meta({
  description:
    'JSON Schema 2020-12 of an object: the parameters that the model adds to those of every run, or takes more narrowly. ' +
    'References within itself only; patterns without look-around and back references; at most 32 KiB.',
  example: {
    type: 'object',
    properties: { gain: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'Factor on each velocity.' } },
  },
});

const selectionSchema = z
  .strictObject({
    kinds: z
      .array(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/))
      .min(1)
      .max(20)
      .optional()
      .meta({ description: 'Kinds of runners that it may run on; default: all.', example: ['fastapi'] }),
    names: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Names of runners that it may run on; default: all.', example: ['lab-gpu-1'] }),
  })
  .meta({ description: 'Which runners it may run on; both lists hold together.' });

const memorySize = z.int().min(1).max(100_000_000);

const resourcesSchema = z
  .strictObject({
    gpu: z.enum(GPU_NAMES).meta({
      description:
        '`required`: runs on a GPU only. `preferred`: on a GPU where there is one and the job wants it. `none`: gains ' +
        'nothing by one.',
    }),
    memory_mb: memorySize.optional().meta({ description: 'Main memory that a run takes, MiB.' }),
    vram_mb: memorySize.optional().meta({ description: 'GPU memory that a run takes, MiB.' }),
  })
  .meta({ example: { gpu: 'preferred', vram_mb: 2048 } });

const digestSchema = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'Use "sha256:" and 64 hexadecimal digits.')
  .meta({ description: 'Of its weights.', example: `sha256:${'4e5e4338'.repeat(8)}` });

const descriptionSchema = z.union([z.literal(''), visibleText('A description', 2_000)]);

const commonMembers = {
  name: modelNameSchema,
  version: modelVersionSchema,
  modality: z.enum(MODEL_MODALITIES).meta({ description: '`video-pair`: a goal video and a current one.' }),
  description: z.string(),
  resources: resourcesSchema,
  digest: digestSchema.nullable(),
  created_at: timeSchema,
};

export const modelSchema = z
  .object({
    ...commonMembers,
    parameters: z.record(z.string(), z.unknown()).meta({
      description:
        'JSON Schema 2020-12 of `parameters` in a job request on this model: what every run takes and what the model ' +
        'adds, in the order of a form. No other names are accepted.',
    }),
  })
  .meta({ id: 'Model' });

export const listModelsRoute = defineRoute({
  operationId: 'listModels',
  method: 'get',
  path: '/models',
  access: 'user',
  tag: 'Models',
  summary: 'List the models that jobs can run',
  description: 'By name; of each the newest version that is active, which is the one its name stands for.',
  request: { query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of models.',
      schema: z.object({ models: z.array(modelSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const getModelRoute = defineRoute({
  operationId: 'getModel',
  method: 'get',
  path: '/models/{name}',
  access: 'user',
  tag: 'Models',
  summary: 'Get a model, and what its parameters are',
  request: {
    params: z.object({
      name: modelReferenceSchema.meta({
        description: 'A name, for its newest active version, or `name@version`.',
        example: 'cns',
      }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The model.',
      schema: z.object({
        model: modelSchema,
        versions: z.array(modelVersionSchema).meta({ description: 'All that are active, newest first.' }),
      }),
    },
  },
  problems: [],
});

const managedModelSchema = z
  .object({
    id: idSchema,
    ...commonMembers,
    parameter_schema: givenSchema,
    runners: selectionSchema,
    status: z.enum(MODEL_STATUSES),
    updated_at: timeSchema,
  })
  .meta({ id: 'ManagedModel' });

const statusSchema = z.enum(MODEL_STATUSES).meta({ description: '`disabled`: takes no new jobs.' });

const answered = (description: string) => ({
  description,
  schema: z.object({ message: messageSchema, model: managedModelSchema }),
});

export const listManagedModelsRoute = defineRoute({
  operationId: 'listManagedModels',
  method: 'get',
  path: '/admin/models',
  access: 'admin',
  tag: 'Administration',
  summary: 'List all versions of all models, newest first',
  description: 'Filters hold together.',
  request: {
    query: z.strictObject({
      name: modelNameSchema.optional().meta({ description: 'Only versions of this model.' }),
      status: z.enum(MODEL_STATUSES).optional().meta({ description: 'Only models of this status.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of models.',
      schema: z.object({ models: z.array(managedModelSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const createModelRoute = defineRoute({
  operationId: 'createModel',
  method: 'post',
  path: '/admin/models',
  access: 'admin',
  idempotency: 'key',
  tag: 'Administration',
  summary: 'Add a model, or a version of one',
  description:
    'The newest active version answers to the name from now on. Parameters of every run may be described again to take ' +
    'them more narrowly (`minimum`, `maximum`, `multipleOf`, `enum`, `const`, `default`, words), with their own type. ' +
    'Jobs can run it as soon as a runner in service says that it does.',
  request: {
    body: z.strictObject({
      name: modelNameSchema,
      version: modelVersionSchema,
      modality: z.enum(MODEL_MODALITIES).default('video-pair'),
      description: descriptionSchema.default('').meta({ description: 'For people who choose.' }),
      parameter_schema: givenSchema,
      runners: selectionSchema.default({}),
      resources: resourcesSchema.default({ gpu: 'preferred' }),
      digest: digestSchema.nullable().default(null),
      status: statusSchema.default('active'),
    }),
  },
  success: { status: 201, answer: answered('The model is there.') },
  problems: ['model-version-taken'],
});

export const getManagedModelRoute = defineRoute({
  operationId: 'getManagedModel',
  method: 'get',
  path: '/admin/models/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Get one version of a model as it was added',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'The model.', schema: z.object({ model: managedModelSchema }) },
  },
  problems: [],
});

export const updateModelRoute = defineRoute({
  operationId: 'updateModel',
  method: 'patch',
  path: '/admin/models/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Change a model, or disable it',
  description:
    'What is left out stays as it is. Name, version, parameters and digest never change, as jobs have been checked by ' +
    'them: add a version instead. Jobs that wait follow the new choice of runners.',
  request: {
    params: idParams,
    body: z
      .strictObject({
        description: descriptionSchema.optional(),
        runners: selectionSchema.optional(),
        resources: resourcesSchema.optional(),
        status: statusSchema.optional(),
      })
      .refine((change) => Object.values(change).some((value) => value !== undefined), 'Say what to change.')
      .meta({ example: { status: 'disabled' } }),
  },
  success: { status: 200, answer: answered('The model as it is now.') },
  problems: [],
});

export const deleteModelRoute = defineRoute({
  operationId: 'deleteModel',
  method: 'delete',
  path: '/admin/models/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Remove a model that no job refers to',
  description: 'One that has been run is disabled instead: its jobs tell of it.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The model is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Model deleted' }) }),
    },
  },
  problems: ['model-in-use'],
});
