import { z } from 'zod';
import { addedVideoSchema, nameSchema, UPLOAD_TYPES } from './dataset.contract.js';
import { PROBLEM_CODES } from './problem.contract.js';
import { defineRoute, idParams, idSchema, timeSchema } from './route.contract.js';

/** What tus calls itself on the wire (https://tus.io/protocols/resumable-upload, version 1.0.0). */
export const TUS_VERSION = '1.0.0';
export const TUS_CONTENT_TYPE = 'application/offset+octet-stream';

/**
 * `receiving`: bytes are missing, or nobody has looked at them yet. `processing`: all are there and become videos.
 * `done`: the videos are there and paid. `refused`: nothing is paid; `problem` tells why.
 */
export const UPLOAD_STATES = ['receiving', 'processing', 'done', 'refused'] as const;
export type UploadState = (typeof UPLOAD_STATES)[number];

/** What `Upload-Metadata` holds; clients add members of their own, such as the file's name. */
export const uploadMetadata = z.object({
  datasetId: idSchema,
  name: nameSchema,
  type: z.enum(UPLOAD_TYPES).default('video'),
});

const uploadSchema = z.object({
  id: idSchema,
  state: z.enum(UPLOAD_STATES),
  offset: z.int().meta({ description: 'Bytes that have arrived.' }),
  length: z.int().meta({ description: 'Bytes of the whole file.' }),
  dataset_id: idSchema,
  name: z.string(),
  type: z.enum(UPLOAD_TYPES),
  videos: z
    .array(addedVideoSchema)
    .meta({ description: 'With `done`: what has been added, as far as it still exists.' }),
  problem: z
    .object({ code: z.enum(PROBLEM_CODES), detail: z.string() })
    .nullable()
    .meta({ description: 'With `refused`.' }),
  created_at: timeSchema,
  expires_at: timeSchema.meta({ description: 'Then it is forgotten, and so are its bytes. Its videos stay.' }),
});

/** Optional here: tus has answers of its own for headers that are missing. */
const tusHeader = (description: string, example: string) => z.string().optional().meta({ description, example });
const tusVersion = { 'Tus-Resumable': tusHeader(`Always ${TUS_VERSION}.`, TUS_VERSION) };

const ANSWER_HEADERS = { 'Tus-Resumable': `Always ${TUS_VERSION}.` };
const OFFSET_HEADER = { 'Upload-Offset': 'Bytes that have arrived.' };

const FINISH_PROBLEMS = [
  'not-found',
  'insufficient-credits',
  'unsupported-video',
  'unsupported-archive',
  'corrupt-video',
  'corrupt-archive',
  'archive-refused',
  'storage-full',
] as const;

export const createUploadRoute = defineRoute({
  operationId: 'createUpload',
  method: 'post',
  idempotency: { without: 'Charges nothing: one upload too many is forgotten when it expires.' },
  path: '/uploads',
  access: 'user',
  tag: 'Videos',
  summary: 'Begin a resumable upload',
  description:
    'tus 1.0 with the extensions creation, creation-with-upload, termination and expiration; any tus client can do it. ' +
    'The metadata say where the file goes: `datasetId`, `name` and, for archives, `type` (`zip`), each in Base64. What ' +
    'would be refused at the end anyway is refused here. With the last byte the file becomes what an upload in one piece ' +
    'would have become, for the same price, once. An upload can be resumed until it expires.',
  request: {
    headers: z.object({
      ...tusVersion,
      'Upload-Length': tusHeader('Bytes of the whole file.', '1048576'),
      'Upload-Metadata': tusHeader(
        'Pairs of key and Base64 value, separated by commas.',
        'datasetId NTUwZTg0MDAtZTI5Yi00MWQ0LWE3MTYtNDQ2NjU1NDQwMDAw,name TW9ybmluZyBSdXNoIEhvdXI=',
      ),
    }),
  },
  success: {
    status: 201,
    answer: {
      description: 'Bytes can be sent.',
      isEmpty: true,
      headers: {
        ...ANSWER_HEADERS,
        Location: 'Of the upload.',
        'Upload-Expires': 'When it is forgotten unless it is complete.',
      },
    },
  },
  problems: [
    'malformed-request',
    'upload-busy',
    'unsupported-protocol-version',
    'payload-too-large',
    'unsupported-media-type',
    'request-timeout',
    'too-many-requests',
    ...FINISH_PROBLEMS,
  ],
});

export const getUploadOffsetRoute = defineRoute({
  operationId: 'getUploadOffset',
  method: 'head',
  path: '/uploads/{id}',
  access: 'user',
  tag: 'Videos',
  summary: 'Ask where to resume an upload',
  request: { params: idParams, headers: z.object(tusVersion) },
  success: {
    status: 200,
    answer: {
      description: 'The offset to go on at.',
      isEmpty: true,
      headers: {
        ...ANSWER_HEADERS,
        ...OFFSET_HEADER,
        'Upload-Length': 'Bytes of the whole file.',
        'Upload-Metadata': 'As it was sent.',
      },
    },
  },
  problems: ['upload-expired', 'unsupported-protocol-version', 'upload-busy'],
});

export const getUploadRoute = defineRoute({
  operationId: 'getUpload',
  method: 'get',
  path: '/uploads/{id}',
  access: 'user',
  tag: 'Videos',
  summary: 'Get the state of a resumable upload, and what became of it',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'The upload.', schema: z.object({ upload: uploadSchema }) },
  },
  problems: [],
});

export const appendUploadRoute = defineRoute({
  operationId: 'appendUpload',
  method: 'patch',
  path: '/uploads/{id}',
  access: 'user',
  tag: 'Videos',
  summary: 'Send bytes of a resumable upload',
  description:
    'What arrives before the connection breaks is kept. The answer to the last byte comes when the video is there and ' +
    'paid, with its id in `Video-Id`; if that takes long it comes earlier, with `Upload-State: processing`, and ' +
    '`GET /api/uploads/{id}` tells the rest. Sending nothing at the end of a complete file asks again.',
  request: {
    params: idParams,
    headers: z.object({ ...tusVersion, 'Upload-Offset': tusHeader('Where these bytes belong.', '0') }),
    stream: { contentType: TUS_CONTENT_TYPE, description: 'Any number of bytes of the file, from the offset on.' },
  },
  success: {
    status: 204,
    answer: {
      description: 'The bytes have arrived.',
      isEmpty: true,
      headers: {
        ...ANSWER_HEADERS,
        ...OFFSET_HEADER,
        'Upload-Expires': 'While bytes are missing.',
        'Upload-State': 'Once all have arrived: `done` or `processing`.',
        'Video-Id': 'With `done`: the video; of an archive, its first one.',
      },
    },
  },
  problems: [
    'malformed-request',
    'upload-offset-conflict',
    'upload-expired',
    'unsupported-protocol-version',
    'payload-too-large',
    'unsupported-media-type',
    'request-timeout',
    'upload-busy',
    ...FINISH_PROBLEMS,
  ],
});

export const finishUploadRoute = defineRoute({
  operationId: 'finishUpload',
  method: 'post',
  idempotency: { without: 'An upload becomes videos once, however often it is asked for.' },
  path: '/uploads/{id}/finish',
  access: 'user',
  tag: 'Videos',
  summary: 'Make a video of a complete upload',
  description:
    'The last byte does this by itself. It is for an upload that was refused for lack of credits, once there are some; ' +
    'done twice it answers the same, and nothing is paid twice. 200 also while it goes on: see `state`.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'The upload as it is now.', schema: z.object({ upload: uploadSchema }) },
  },
  problems: ['upload-incomplete', ...FINISH_PROBLEMS],
});

export const deleteUploadRoute = defineRoute({
  operationId: 'deleteUpload',
  method: 'delete',
  path: '/uploads/{id}',
  access: 'user',
  tag: 'Videos',
  summary: 'Give up a resumable upload',
  description: 'Its bytes are gone at once. One that is done has become a video and is deleted as such.',
  request: { params: idParams, headers: z.object(tusVersion) },
  success: {
    status: 204,
    answer: { description: 'The upload is gone.', isEmpty: true, headers: ANSWER_HEADERS },
  },
  problems: ['upload-not-open', 'upload-expired', 'unsupported-protocol-version', 'upload-busy'],
});
