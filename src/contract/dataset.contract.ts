import { z } from 'zod';
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

const nameSchema = visibleText('A name', 200).meta({ example: 'Traffic Analysis 2023' });

const tagSchema = visibleText('A tag', 64);

const tagsSchema = z
  .array(tagSchema)
  .max(50, 'A dataset has at most 50 tags.')
  .transform((tags) => [...new Set(tags)])
  .meta({ example: ['traffic', 'urban', 'peak-hours'] });

const tagFilterSchema = z.array(tagSchema).max(50).optional();

const datasetSchema = z.object({
  id: idSchema,
  user_id: idSchema,
  name: z.string(),
  tags: z.array(z.string()),
  created_at: timeSchema,
  updated_at: timeSchema,
});

const videoSchema = z.object({
  id: idSchema,
  name: z.string(),
  frame_count: z.int().meta({ example: 1500 }),
  width: z.int(),
  height: z.int(),
  frame_rate: z.number().nullable(),
  duration_seconds: z.number(),
  size_bytes: z.int(),
  sha256: z.string(),
  container: z.string(),
  codec: z.string(),
  created_at: timeSchema,
});

export const createDatasetRoute = defineRoute({
  operationId: 'createDataset',
  method: 'post',
  path: '/dataset',
  access: 'user',
  tag: 'Datasets',
  summary: 'Create a dataset',
  request: { body: z.strictObject({ name: nameSchema, tags: tagsSchema.optional() }) },
  success: {
    status: 201,
    answer: {
      description: 'The dataset exists.',
      schema: z.object({
        message: messageSchema.meta({ example: 'Dataset created successfully' }),
        dataset: datasetSchema,
      }),
    },
  },
  problems: ['name-taken'],
});

export const listDatasetsRoute = defineRoute({
  operationId: 'listDatasets',
  method: 'get',
  path: '/dataset',
  access: 'user',
  tag: 'Datasets',
  summary: "List the caller's datasets",
  description:
    'In order of creation. With tags, only datasets that carry all of them: `?tags=a&tags=b`, or a JSON body ' +
    '`{"tags": ["a", "b"]}`, which browsers cannot send with GET.',
  request: {
    query: z.strictObject({
      tags: z
        .union([z.string().transform((tag) => [tag]), z.array(z.string())])
        .pipe(z.array(tagSchema).max(50))
        .optional(),
      ...pageQuery,
    }),
    body: z.strictObject({ tags: tagFilterSchema }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of datasets.',
      schema: z.object({
        datasets: z.array(datasetSchema.omit({ user_id: true })),
        nextCursor: nextCursorSchema,
      }),
    },
  },
  problems: [],
});

export const getDatasetRoute = defineRoute({
  operationId: 'getDataset',
  method: 'get',
  path: '/dataset/{id}',
  access: 'user',
  tag: 'Datasets',
  summary: 'Get a dataset with its videos',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The dataset; its videos in order of creation.',
      schema: z.object({
        dataset: datasetSchema.omit({ user_id: true }).extend({ videos: z.array(videoSchema) }),
      }),
    },
  },
  problems: ['not-found'],
});

export const updateDatasetRoute = defineRoute({
  operationId: 'updateDataset',
  method: 'put',
  path: '/dataset/{id}',
  access: 'user',
  tag: 'Datasets',
  summary: 'Rename a dataset or replace its tags',
  description: 'A field that is left out stays as it is.',
  request: {
    params: idParams,
    body: z
      .strictObject({ name: nameSchema.optional(), tags: tagsSchema.optional() })
      .refine((body) => body.name !== undefined || body.tags !== undefined, 'Send a name, tags, or both.'),
  },
  success: {
    status: 200,
    answer: {
      description: 'The dataset as it is now.',
      schema: z.object({
        message: messageSchema.meta({ example: 'Dataset updated successfully' }),
        dataset: datasetSchema,
      }),
    },
  },
  problems: ['not-found', 'name-taken'],
});

export const deleteDatasetRoute = defineRoute({
  operationId: 'deleteDataset',
  method: 'delete',
  path: '/dataset/{id}',
  access: 'user',
  tag: 'Datasets',
  summary: 'Delete a dataset',
  description: 'Its name is free again at once. Jobs and results that came from it stay readable.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The dataset is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Dataset deleted successfully' }) }),
    },
  },
  problems: ['not-found'],
});

export const uploadVideoFields = z.strictObject({
  name: nameSchema.meta({ example: 'Morning Rush Hour' }),
  type: z.enum(['video']).default('video'),
});

export const uploadVideoRoute = defineRoute({
  operationId: 'uploadVideo',
  method: 'post',
  path: '/dataset/{id}/videos',
  access: 'user',
  tag: 'Datasets',
  summary: 'Upload a video into a dataset',
  description:
    'Container and codec are read from the content. The price follows from the exact number of frames; a video that ' +
    'is refused costs nothing and leaves nothing behind.',
  request: {
    params: idParams,
    multipart: { fields: uploadVideoFields, file: 'content', fileDescription: 'The video file.' },
  },
  success: {
    status: 201,
    answer: {
      description: 'The video is part of the dataset and paid.',
      schema: z.object({
        message: messageSchema.meta({ example: 'Morning Rush Hour - video added' }),
        id: idSchema,
        costDeducted: z.int().meta({ example: 10 }),
        video: videoSchema,
      }),
    },
  },
  problems: [
    'malformed-multipart',
    'insufficient-credits',
    'not-found',
    'payload-too-large',
    'unsupported-media-type',
    'unsupported-video',
    'corrupt-video',
    'storage-full',
  ],
});
