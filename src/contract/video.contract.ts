import { z } from 'zod';
import { nameSchema, videoSchema } from './dataset.contract.js';
import { defineRoute, idParams, idSchema, messageSchema, nextCursorSchema, pageQuery } from './route.contract.js';

const videoParams = idParams.extend({ videoId: idSchema.meta({ description: 'Of a video in the dataset.' }) });

const ifNoneMatch = z.string().optional().meta({
  description: 'Entity tag of what the caller has: answered with 304.',
  example: '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
});

export const listVideosRoute = defineRoute({
  operationId: 'listVideos',
  method: 'get',
  path: '/dataset/{id}/videos',
  access: 'user',
  tag: 'Videos',
  summary: 'List the videos of a dataset',
  description: 'In order of creation, which is the order that `range` of a submission counts in.',
  request: { params: idParams, query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of videos.',
      schema: z.object({ videos: z.array(videoSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: ['not-found'],
});

export const getVideoRoute = defineRoute({
  operationId: 'getVideo',
  method: 'get',
  path: '/dataset/{id}/videos/{videoId}',
  access: 'user',
  tag: 'Videos',
  summary: 'Get a video',
  request: { params: videoParams },
  success: { status: 200, answer: { description: 'The video.', schema: z.object({ video: videoSchema }) } },
  problems: ['not-found'],
});

export const updateVideoRoute = defineRoute({
  operationId: 'updateVideo',
  method: 'put',
  path: '/dataset/{id}/videos/{videoId}',
  access: 'user',
  tag: 'Videos',
  summary: 'Rename a video',
  request: {
    params: videoParams,
    body: z.strictObject({ name: nameSchema.meta({ example: 'Evening Rush Hour' }) }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The video as it is now.',
      schema: z.object({
        message: messageSchema.meta({ example: 'Video updated successfully' }),
        video: videoSchema,
      }),
    },
  },
  problems: ['not-found'],
});

export const deleteVideoRoute = defineRoute({
  operationId: 'deleteVideo',
  method: 'delete',
  path: '/dataset/{id}/videos/{videoId}',
  access: 'user',
  tag: 'Videos',
  summary: 'Delete a video',
  description:
    'The others keep their order and move up. Jobs that wait for it or run on it go on: its file stays until they have ' +
    'ended, and for the time that deleted videos are kept. What its upload cost is not given back.',
  request: { params: videoParams },
  success: {
    status: 200,
    answer: {
      description: 'The video is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Video deleted successfully' }) }),
    },
  },
  problems: ['not-found'],
});

export const videoContentRoute = defineRoute({
  operationId: 'getVideoContent',
  method: 'get',
  path: '/dataset/{id}/videos/{videoId}/content',
  access: 'user',
  tag: 'Videos',
  summary: 'Download a video',
  description:
    'The file as it was uploaded, or one range of it. Several ranges at once are answered with the whole file.',
  request: {
    params: videoParams,
    headers: z.object({
      Range: z.string().optional().meta({
        description: 'One range of bytes: `bytes=0-99`, `bytes=100-`, `bytes=-100`.',
        example: 'bytes=0-1023',
      }),
      'If-Range': z.string().optional().meta({
        description: 'Entity tag of the file that the range is meant for; of any other the whole is answered.',
      }),
      'If-None-Match': ifNoneMatch,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The whole file.',
      contentType: 'video/*',
      headers: {
        ETag: 'The SHA-256 of the whole file, in quotes.',
        'Content-Disposition': 'A file name made of the name of the video.',
        'Accept-Ranges': 'bytes',
      },
    },
    also: [
      { status: 206, description: 'The range; `Content-Range` says which.' },
      { status: 304, description: 'The caller has it.' },
    ],
  },
  problems: ['not-found', 'range-not-satisfiable'],
});

export const videoThumbnailRoute = defineRoute({
  operationId: 'getVideoThumbnail',
  method: 'get',
  path: '/dataset/{id}/videos/{videoId}/thumbnail',
  access: 'user',
  tag: 'Videos',
  summary: 'Get a small picture of a video',
  description: 'A frame from about the end of the first second, in grey, at most 320 pixels wide and high.',
  request: { params: videoParams, headers: z.object({ 'If-None-Match': ifNoneMatch }) },
  success: {
    status: 200,
    answer: {
      description: 'The picture.',
      contentType: 'image/jpeg',
      headers: { ETag: 'Stays the same as long as the picture does.' },
    },
    also: [{ status: 304, description: 'The caller has it.' }],
  },
  problems: ['not-found'],
});
