import { z } from 'zod';
import { carbonReportSchema } from './carbon.contract.js';
import { modelField } from './model-name.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  messageSchema,
  momentSchema,
  PREFERENCE_APPLIED,
  preferHeader,
  timeSchema,
} from './route.contract.js';

export const JOB_STATUSES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'ABORTED'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

const DETECTOR_NAMES = ['SIFT', 'ORB', 'AKAZE', 'KAZE', 'BRISK'] as const;
const POLICY_NAMES = ['ibvs', 'cns'] as const;
const VISUALIZE_NAMES = ['none', 'sampled', 'all'] as const;

const frameNumber = z.int().min(0).max(10_000_000);
const focalLength = z.number().positive().max(1e6);
const principalPoint = z.number().min(-1e6).max(1e6);

const detectorPart = `(${DETECTOR_NAMES.join('|')})(:[0-3]{1,4})?`;

export const detectorSchema = z
  .string()
  .regex(new RegExp(`^${detectorPart}(\\+${detectorPart}){0,3}$`), {
    abort: true,
    message: `Use ${DETECTOR_NAMES.join(', ')}, or up to four of them joined by "+", for example "AKAZE+ORB". A name may be followed by ":" and quarter turns of the goal frame to match too, digits 0 to 3, for example "AKAZE:02+ORB:13".`,
  })
  .refine((text) => isUnique(text.split('+').map((part) => part.split(':')[0])), {
    message: 'Use each name once.',
  })
  .refine((text) => text.split('+').every((part) => isUnique(Array.from(part.split(':')[1] ?? ''))), {
    message: 'Use each quarter turn of a name once.',
  })
  .meta({
    description:
      'What finds keypoints: SIFT, ORB, AKAZE, KAZE or BRISK, or up to four of them joined by `+`, each once. A name may be followed by `:` and the quarter turns of the goal frame that are matched too (digits 0 to 3, each once; default `:0`, the goal as it is): `AKAZE:02+ORB:13`. More turns and names take longer.',
    example: 'SIFT',
  });

/** What every run takes, whatever the model. */
const runParameters = {
  startFrame: frameNumber.meta({
    description: 'First processed frame of the current video, zero-based.',
    example: 0,
  }),
  endFrame: frameNumber.meta({ description: 'Last frame that may be processed, inclusive.', example: 500 }),
  goalFrameId: frameNumber.meta({ description: 'Frame of the goal video that shows the goal pose.', example: 40 }),
  frameStep: z.int().min(1).max(1_000_000).meta({ example: 2 }),
  detector: detectorSchema,
  useGpus: z.boolean().meta({ description: 'Without a GPU at hand the job runs on the CPU and the result says so.' }),
  intrinsics: z
    .strictObject({ fx: focalLength, fy: focalLength, cx: principalPoint, cy: principalPoint })
    .optional()
    .meta({
      description:
        'Pinhole camera in pixels. Default: fx = fy = 540, centre of a 640 × 480 image (320, 240). For the upright picture, as `width` and `height` of the video tell it: turns and mirrorings that the file asks for have been applied.',
    }),
  distance: z
    .number()
    .positive()
    .max(1e4)
    .optional()
    .meta({ description: 'Distance prior: metres from the goal camera to the scene. Default 1.' }),
  policy: z
    .enum(POLICY_NAMES)
    .optional()
    .meta({
      description:
        '`cns`: the learned policy, where the installation has its weights (`CNS_WEIGHTS`); there it is the default. ' +
        '`ibvs`: image-based visual servoing, the default elsewhere. The parameters of the job say which one it is.',
    }),
  visualize: z
    .enum(VISUALIZE_NAMES)
    .optional()
    .meta({
      description:
        'Which frames get a picture in the ZIP. Default `sampled`: at most 100, spread evenly. With `all`, a sample behind as ' +
        'many bytes of pictures as the installation allows (`ENGINE_PICTURES_MAX_BYTES`); the result has a warning then.',
    }),
};

/** Parameters of a run on `cns`, which adds nothing of its own: no other names are accepted. */
export const cnsParametersSchema = z.strictObject(runParameters);

/** Parameters of a run on any model; which names a model adds, only the server can tell. */
export const parametersSchema = z
  .object(runParameters)
  .catchall(z.unknown())
  .refine((p) => p.startFrame <= p.endFrame, {
    path: ['endFrame'],
    message: 'endFrame must not lie before startFrame.',
  })
  .meta({
    id: 'InferenceParameters',
    description:
      'What every run takes, and what its model adds: `GET /api/models/{name}` tells. Other names are refused.',
    example: { startFrame: 0, endFrame: 500, goalFrameId: 40, frameStep: 2, detector: 'SIFT', useGpus: true },
  });

export const rangeSchema = z
  .string()
  .regex(/^(all|\d{1,9}-\d{1,9})$/, 'Use "all" or "a-b", for example "0-3".')
  .refine((text) => text === 'all' || Number(text.split('-')[0]) <= Number(text.split('-')[1]), {
    message: 'The end of the range must not lie before its start.',
  })
  .meta({
    description: '"all", or zero-based inclusive positions of videos in order of creation.',
    example: 'all',
  });

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

export const submitInferenceRoute = defineRoute({
  operationId: 'submitInference',
  method: 'post',
  path: '/inference',
  idempotency: 'key',
  access: 'user',
  tag: 'Inference',
  summary: 'Create and enqueue inference jobs',
  description:
    'One selected video is compared with itself; n videos give n − 1 jobs (goal = video i, current = video i + 1). ' +
    'Either every job of the request is created, or none.',
  request: {
    headers: z.object(preferHeader),
    body: z
      .strictObject({
        datasetId: idSchema,
        model: modelField,
        parameters: parametersSchema,
        range: rangeSchema,
        priority: z.int().min(1).max(10).default(5).meta({ description: '10 runs first.' }),
        startDeadline: momentSchema.optional().meta({
          description: 'A job that has not started by then is ABORTED. A time to come, with its zone.',
          example: '2100-01-01T00:00:00Z',
        }),
        timeout: z.int().min(1).max(2_147_483_647).optional().meta({
          description:
            'Seconds that an attempt may take; then the job is ABORTED. At most what the installation allows (`JOB_TIMEOUT`).',
          example: 3600,
        }),
      })
      .meta({
        example: {
          datasetId: '550e8400-e29b-41d4-a716-446655440000',
          parameters: { startFrame: 0, endFrame: 500, goalFrameId: 40, frameStep: 2, detector: 'SIFT', useGpus: true },
          range: 'all',
        },
      }),
  },
  success: {
    status: 202,
    answer: {
      description: 'The jobs are stored and will run.',
      schema: z.object({
        jobId: z.array(idSchema),
        jobs: z
          .array(z.object({ id: idSchema, status: z.enum(JOB_STATUSES) }))
          .optional()
          .meta({ description: 'Where each job stood at the end of the wait; only with `Prefer: wait=N`.' }),
      }),
      headers: { Location: 'Status of the first job.', 'Preference-Applied': PREFERENCE_APPLIED },
    },
  },
  problems: ['not-found', 'insufficient-credits', 'empty-dataset', 'policy-unavailable', 'model-unavailable'],
});

export const progressSchema = z.object({ processed: z.int(), total: z.int() });

export const jobStatusRoute = defineRoute({
  operationId: 'getJobStatus',
  method: 'get',
  path: '/inference/status/{id}',
  access: 'user',
  tag: 'Inference',
  summary: 'Get the status of a job',
  request: { params: idParams, headers: z.object(preferHeader) },
  success: {
    status: 200,
    answer: {
      description: 'Where the job stands.',
      headers: { 'Preference-Applied': PREFERENCE_APPLIED },
      schema: z.object({
        status: z.enum(JOB_STATUSES),
        progress: progressSchema.nullable(),
        attempt: z.int().meta({ description: 'Attempts started so far.' }),
        errorMessage: z.string().nullable(),
        cancel_requested_at: timeSchema.nullable(),
        stopped_at: timeSchema.nullable(),
        created_at: timeSchema,
        started_at: timeSchema.nullable(),
        finished_at: timeSchema.nullable(),
      }),
    },
  },
  problems: ['not-found'],
});

export const cancelJobRoute = defineRoute({
  operationId: 'cancelJob',
  method: 'post',
  path: '/inference/{id}/cancel',
  idempotency: { without: 'A job is cancelled once: a repetition finds it stopping or stopped.' },
  access: 'user',
  tag: 'Inference',
  summary: 'Cancel a job',
  description:
    'A waiting job is ABORTED at once. A running one is stopped: it is ABORTED when its runner has really stopped, and ' +
    'leaves no result, however close it was to one. Asking again changes nothing. What was held for it is given back.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The job was waiting and is ABORTED now.',
      schema: z.object({
        id: idSchema,
        status: z.enum(JOB_STATUSES),
        cancel_requested_at: timeSchema.nullable(),
        stopped_at: timeSchema.nullable().meta({ description: 'When the runner had really stopped.' }),
      }),
    },
    also: [{ status: 202, description: 'The job is running; it is ABORTED as soon as its runner has stopped.' }],
  },
  problems: ['not-found', 'job-already-final'],
});

const frameReportSchema = z.object({
  frame: z.int(),
  keypoints: z.int().nullable().meta({ description: 'Null, as the next two, where the runner does not say.' }),
  matches: z.int().nullable(),
  inliers: z.int().nullable(),
  featureErrorPx: z.number().nullable(),
  problem: z.string().nullable().meta({ description: 'Why the frame got the zero velocity; null when it did not.' }),
});

const frameErrorSchema = z.object({
  frame: z.int(),
  code: z.string().meta({ example: 'unreadable-frame' }),
  message: z.string(),
});

/** The result of one job. */
export const resultSchema = z
  .object({
    requestId: idSchema,
    velocity: z.array(z.array(z.number()).length(6)).meta({
      description: 'One row [vx, vy, vz, wx, wy, wz] per processed frame; m/s and rad/s in the camera frame.',
    }),
    carbon_footprint: z.number().meta({ description: 'Grams CO2e.' }),
    download_url: z.string(),
    message: messageSchema,
    energy_wh: z.number(),
    carbon_method: z.enum(['measured', 'estimated']),
    carbon_intensity: z.number().meta({ description: 'Grid intensity used, grams CO2e per kWh.' }),
    carbon: carbonReportSchema.optional(),
    device: z.enum(['cpu', 'gpu']),
    runner: z.string(),
    goal: z.object({ frame: z.int(), keypoints: z.int().nullable() }),
    frames: z.array(frameReportSchema).meta({ description: 'One report per row of `velocity`.' }),
    frame_errors: z.array(frameErrorSchema).meta({ description: 'The frames without a velocity, and why.' }),
    usage: z
      .object({ wallSeconds: z.number(), cpuSeconds: z.number(), gpuSeconds: z.number() })
      .meta({ description: 'Of all attempts together.' }),
    model: z
      .object({
        name: z.string().meta({ example: 'CNS' }),
        digest: z.string().meta({ description: 'Of the file of weights.', example: `sha256:${'4e5e4338'.repeat(8)}` }),
      })
      .nullable()
      .optional()
      .meta({ description: 'The learned weights behind the velocities; null for a policy without.' }),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'InferenceResult' });

export type InferenceResult = z.infer<typeof resultSchema>;
/** Without what follows from the rest. */
export type StoredInferenceResult = Omit<InferenceResult, 'frame_errors'>;

export const jobResultRoute = defineRoute({
  operationId: 'getJobResult',
  method: 'get',
  path: '/inference/result/json/{id}',
  access: 'user',
  tag: 'Inference',
  summary: 'Get the result of a job as JSON',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The result.',
      schema: z.object({
        results: resultSchema,
        expires_at: timeSchema.nullable().meta({ description: 'After this time it is gone; null: it stays.' }),
      }),
    },
  },
  problems: ['not-found', 'result-not-ready', 'job-without-result', 'result-gone'],
});

export const jobArchiveRoute = defineRoute({
  operationId: 'getJobArchive',
  method: 'get',
  path: '/inference/result/zip/{id}',
  access: 'user',
  tag: 'Inference',
  summary: 'Get the result of a job as a ZIP file',
  description: 'Correspondence pictures, velocities as CSV and JSON, a trajectory as CSV, and a plot.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: { description: 'The ZIP file.', contentType: 'application/zip' },
  },
  problems: ['not-found', 'result-not-ready', 'job-without-result', 'result-gone'],
});

export const deleteResultRoute = defineRoute({
  operationId: 'deleteJobResult',
  method: 'delete',
  path: '/inference/result/{id}',
  access: 'user',
  tag: 'Inference',
  summary: 'Delete the result of a job',
  description: 'Its numbers and its ZIP file are removed for good. The job stays COMPLETED, and paid.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'The result is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Result deleted successfully' }) }),
    },
  },
  problems: ['not-found', 'result-not-ready', 'job-without-result', 'result-gone'],
});
