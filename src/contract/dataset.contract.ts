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

export const nameSchema = visibleText('A name', 200).meta({ example: 'Traffic Analysis 2023' });

const tagSchema = visibleText('A tag', 64);

const tagsSchema = z
  .array(tagSchema)
  .max(50, 'A dataset has at most 50 tags.')
  .transform((tags) => [...new Set(tags)])
  .meta({ example: ['traffic', 'urban', 'peak-hours'] });

const tagFilterSchema = z.array(tagSchema).max(50).optional();

const matchSchema = z
  .enum(['all', 'any'])
  .optional()
  .meta({ description: 'Whether a dataset has to carry all of the tags (as without this) or any of them.' });

/** The state that a change is meant for. */
const ifMatchHeaders = z.object({
  'If-Match': z.string().optional().meta({
    description: 'Entity tags of the states that may be changed, as `ETag` of an answer gave them, or `*`.',
    example: '"3"',
  }),
});

const etagHeader = { ETag: 'The version of the dataset in quotes; goes into `If-Match` of a change.' };

const datasetSchema = z.object({
  id: idSchema,
  user_id: idSchema,
  name: z.string(),
  tags: z.array(z.string()),
  version: z.int().meta({ description: 'Goes up with every change of the dataset or its videos.', example: 1 }),
  created_at: timeSchema,
  updated_at: timeSchema,
});

export const videoSchema = z.object({
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
  idempotency: 'key',
  access: 'user',
  tag: 'Datasets',
  summary: 'Create a dataset',
  request: { body: z.strictObject({ name: nameSchema, tags: tagsSchema.optional() }) },
  success: {
    status: 201,
    answer: {
      description: 'The dataset exists.',
      headers: etagHeader,
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
    '`{"tags": ["a", "b"]}`, which browsers cannot send with GET. With `match=any` (`"match": "any"`), datasets that ' +
    'carry at least one of them.',
  request: {
    query: z.strictObject({
      tags: z
        .union([z.string().transform((tag) => [tag]), z.array(z.string())])
        .pipe(z.array(tagSchema).max(50))
        .optional()
        .meta({
          description: 'Only datasets that carry all of these (or any, with `match=any`).',
          example: ['traffic', 'urban'],
        }),
      match: matchSchema,
      ...pageQuery,
    }),
    body: z.strictObject({ tags: tagFilterSchema, match: matchSchema }),
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
  request: {
    params: idParams,
    headers: z.object({
      'If-None-Match': z.string().optional().meta({
        description: 'Entity tag of the state that the caller has: answered with 304 while it is still that.',
        example: '"3"',
      }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The dataset; its videos in order of creation.',
      headers: etagHeader,
      schema: z.object({
        dataset: datasetSchema.omit({ user_id: true }).extend({ videos: z.array(videoSchema) }),
      }),
    },
    also: [{ status: 304, description: 'It is still as the caller has it.' }],
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
  description:
    'A field that is left out stays as it is. With `If-Match`, only a state that the caller has seen is changed.',
  request: {
    params: idParams,
    headers: ifMatchHeaders,
    body: z
      .strictObject({ name: nameSchema.optional(), tags: tagsSchema.optional() })
      .refine((body) => body.name !== undefined || body.tags !== undefined, 'Send a name, tags, or both.'),
  },
  success: {
    status: 200,
    answer: {
      description: 'The dataset as it is now.',
      headers: etagHeader,
      schema: z.object({
        message: messageSchema.meta({ example: 'Dataset updated successfully' }),
        dataset: datasetSchema,
      }),
    },
  },
  problems: ['not-found', 'name-taken', 'precondition-failed'],
});

export const deleteDatasetRoute = defineRoute({
  operationId: 'deleteDataset',
  method: 'delete',
  path: '/dataset/{id}',
  access: 'user',
  tag: 'Datasets',
  summary: 'Delete a dataset',
  description:
    'Its name is free again at once. Jobs that wait or run go on, and jobs and results stay readable; the files of its ' +
    'videos are removed after the time that deleted videos are kept. What its uploads cost is not given back.',
  request: { params: idParams, headers: ifMatchHeaders },
  success: {
    status: 200,
    answer: {
      description: 'The dataset is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Dataset deleted successfully' }) }),
    },
  },
  problems: ['not-found', 'precondition-failed'],
});

export const UPLOAD_TYPES = ['video', 'zip'] as const;
export type UploadType = (typeof UPLOAD_TYPES)[number];

export const uploadVideoFields = z.strictObject({
  name: nameSchema.meta({ example: 'Morning Rush Hour' }),
  type: z
    .enum(['video', 'zip'])
    .default('video')
    .meta({
      description:
        '`zip`: an archive. Every video in it becomes a video; the JPEG or PNG pictures of each folder become one video, ' +
        'a frame each.',
      example: 'video',
    }),
});

/** What an upload added, and what of its price fell on it. */
export const addedVideoSchema = z.object({
  id: idSchema,
  name: z.string().meta({ example: 'Morning Rush Hour' }),
  frame_count: z.int().meta({ example: 1500 }),
  cost: z.int().meta({ example: 10 }),
});

export type AddedVideo = z.infer<typeof addedVideoSchema>;

export const uploadVideoRoute = defineRoute({
  operationId: 'uploadVideo',
  method: 'post',
  path: '/dataset/{id}/videos',
  idempotency: 'key',
  access: 'user',
  tag: 'Datasets',
  summary: 'Upload a video, or a ZIP of videos and pictures, into a dataset',
  description:
    'Container and codec are read from the content. The price follows from the exact number of frames; what is refused ' +
    'costs nothing and leaves nothing behind. Of an archive all becomes part of the dataset or nothing: in the natural ' +
    'order of its paths (`frame-2` before `frame-10`), under the names `<name>-1`, `<name>-2`, … when it makes several ' +
    'videos. The pictures of a folder need one format and one size, and stay unchanged; 25 are shown per second. ' +
    'Refused are archives that hold anything else, are encrypted, hold links, archives or names that lead out of ' +
    'them, have more than 10,000 entries, or unpack to more than one upload may have.',
  request: {
    params: idParams,
    multipart: { fields: uploadVideoFields, file: 'content', fileDescription: 'The video file, or the archive.' },
  },
  success: {
    status: 201,
    answer: {
      description: 'The video is part of the dataset and paid; of an archive, all its videos are.',
      schema: z.object({
        message: messageSchema.meta({ example: 'Morning Rush Hour - video added' }),
        id: idSchema.meta({ description: 'Of the first video.' }),
        costDeducted: z.int().meta({ description: 'For all of them.', example: 10 }),
        video: videoSchema.meta({ description: 'The first video.' }),
        videos: z.array(addedVideoSchema).meta({ description: 'All of them, in their order in the dataset.' }),
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
    'unsupported-archive',
    'corrupt-video',
    'corrupt-archive',
    'archive-refused',
    'storage-full',
  ],
});
