import { z } from 'zod';
import { JOB_STATUSES, parametersSchema, progressSchema } from './inference.contract.js';
import { modelReferenceSchema } from './model-name.contract.js';
import {
  defineRoute,
  idParams,
  idSchema,
  momentSchema,
  nextCursorSchema,
  pageQuery,
  PREFERENCE_APPLIED,
  preferHeader,
  timeSchema,
  visibleText,
} from './route.contract.js';

const statusSchema = z.enum(JOB_STATUSES);

const errorSchema = z.object({
  code: z.string().meta({ example: 'runner-crashed' }),
  message: z.string(),
});

const jobMembers = {
  id: idSchema,
  model: z.object({ name: z.string(), version: z.string() }).meta({ description: 'What computes the velocities.' }),
  status: statusSchema,
  progress: progressSchema.nullable(),
  attempt: z.int().meta({ description: 'Attempts started so far.' }),
  priority: z.int(),
  cost: z.int().meta({ description: 'Credits held for it, taken on COMPLETED, given back otherwise.' }),
  error: errorSchema.nullable().meta({
    description: 'Why it FAILED or was ABORTED; while it waits, what the attempt before came to.',
  }),
  retry_of: idSchema.nullable().meta({ description: 'The job that this one repeats.' }),
  start_deadline: timeSchema.nullable().meta({ description: 'Not started by then, it is ABORTED.' }),
  timeout: z.int().nullable().meta({ description: 'Seconds that an attempt may take, as its owner said.' }),
  cancel_requested_at: timeSchema.nullable(),
  stopped_at: timeSchema.nullable().meta({ description: 'When its runner had really stopped.' }),
  created_at: timeSchema,
  started_at: timeSchema.nullable().meta({ description: 'Start of the first attempt.' }),
  finished_at: timeSchema.nullable(),
};

export const listedJobSchema = z
  .object({ ...jobMembers, dataset_id: idSchema, goal_video_id: idSchema, current_video_id: idSchema })
  .meta({ id: 'ListedJob' });

export const listJobsRoute = defineRoute({
  operationId: 'listJobs',
  method: 'get',
  path: '/inference',
  access: 'user',
  tag: 'Inference',
  summary: "List the caller's jobs",
  description: 'Newest first. Filters hold together: a job has to fit all of them. Jobs of deleted datasets stay.',
  request: {
    query: z.strictObject({
      status: z
        .union([statusSchema.transform((status) => [status]), z.array(statusSchema)])
        .transform((statuses) => [...new Set(statuses)])
        .optional()
        .meta({ description: 'One of several: `?status=PENDING&status=RUNNING`.' }),
      dataset: idSchema.optional().meta({ description: 'Jobs on this dataset.' }),
      model: modelReferenceSchema.optional().meta({ description: 'Jobs on this model: `name`, or `name@version`.' }),
      tag: visibleText('A tag', 64).optional().meta({ description: 'Jobs on datasets that carry this tag.' }),
      created_from: momentSchema.optional().meta({ description: 'Created at this time or later.' }),
      created_to: momentSchema.optional().meta({ description: 'Created before this time.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of jobs.',
      schema: z.object({ jobs: z.array(listedJobSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

const attemptSchema = z.object({
  number: z.int(),
  outcome: z
    .enum(['COMPLETED', 'FAILED', 'LOST', 'RELEASED', 'ABORTED'])
    .nullable()
    .meta({
      description:
        'Null while it goes on. LOST: its worker fell silent. RELEASED: its worker shut down and gave the job back; ' +
        'that does not count.',
    }),
  error: errorSchema.nullable(),
  resumed_rows: z.int().meta({ description: 'Rows taken over from the attempts before; it went on behind them.' }),
  energy_wh: z.number().nullable().meta({ description: 'Watt-hours so far; null when nobody knows.' }),
  carbon_footprint: z.number().nullable().meta({ description: 'Grams CO2e, likewise.' }),
  started_at: timeSchema,
  finished_at: timeSchema.nullable(),
  runner: z.object({ name: z.string(), kind: z.string() }).nullable().meta({ description: 'What it ran on.' }),
  stop: z
    .object({ by: z.enum(['engine', 'server', 'connection']), stopped_at: timeSchema })
    .nullable()
    .meta({
      description:
        'How it is known that its work has stopped. `engine`: our own process has. `server`: the model server said so, ' +
        'by its clock. `connection`: the connection to it was closed, and it said nothing. Null: nobody told it to stop.',
    }),
});

const videoOfJobSchema = z.object({ id: idSchema, name: z.string() });

const waitSchema = z.object({
  reason: z.enum(['queued', 'between-attempts', 'no-runner', 'runners-down', 'runners-busy']).meta({
    description:
      '`queued`: a worker has to become free. `between-attempts`: the pause after a failed attempt. `no-runner`: none ' +
      'in service can do it. `runners-down`: those that can are not healthy, or have failed too often. ' +
      '`runners-busy`: they work on others, or asked for a pause.',
  }),
  ahead: z.int().nullable().meta({
    description: 'Jobs of everybody that come first: at most 1000, which means 1000 or more. Null between attempts.',
  }),
  until: timeSchema.nullable().meta({ description: 'End of the pause between attempts.' }),
});

export const jobSchema = z
  .object({
    ...jobMembers,
    dataset: z.object({ id: idSchema, name: z.string(), deleted: z.boolean() }),
    goal_video: videoOfJobSchema,
    current_video: videoOfJobSchema,
    parameters: parametersSchema,
    settlement: z.enum(['free', 'held', 'captured', 'released', 'refunded']).meta({
      description: 'What became of `cost`.',
    }),
    attempts: z.array(attemptSchema),
    retried_by: z.array(idSchema).meta({ description: 'Jobs that repeat this one.' }),
    wait: waitSchema.nullable().meta({ description: 'Why it is still PENDING; null otherwise.' }),
    result: z
      .object({
        expires_at: timeSchema.nullable().meta({ description: 'After this time it is gone; null: it stays.' }),
        gone: z.enum(['deleted', 'expired']).nullable(),
      })
      .nullable()
      .meta({ description: 'Null as long as there was none.' }),
    carbon_footprint: z
      .number()
      .nullable()
      .meta({ description: 'Grams CO2e of the attempts that have ended, also without a result; null: nobody knows.' }),
    energy_wh: z.number().nullable().meta({ description: 'Watt-hours, likewise.' }),
  })
  .meta({ id: 'Job' });

export const getJobRoute = defineRoute({
  operationId: 'getJob',
  method: 'get',
  path: '/inference/{id}',
  access: 'user',
  tag: 'Inference',
  summary: 'Get everything about a job but its result',
  request: { params: idParams, headers: z.object(preferHeader) },
  success: {
    status: 200,
    answer: {
      description: 'The job.',
      schema: z.object({ job: jobSchema }),
      headers: { 'Preference-Applied': PREFERENCE_APPLIED },
    },
  },
  problems: ['not-found'],
});

export const retryJobRoute = defineRoute({
  operationId: 'retryJob',
  method: 'post',
  path: '/inference/{id}/retry',
  access: 'user',
  idempotency: 'key',
  tag: 'Inference',
  summary: 'Run a job once more, as a new job',
  description:
    'For a job that has ended, however it ended. The new one has the same videos, parameters, priority and timeout, no ' +
    'start deadline, is paid like any other at the price of now, and names the old one in `retry_of`. It goes on where a ' +
    'failed or cancelled one stopped, as far as that is still kept; of several repetitions the first.',
  request: { params: idParams },
  success: {
    status: 202,
    answer: {
      description: 'The new job is stored and will run.',
      schema: z.object({ jobId: z.array(idSchema).length(1) }),
      headers: { Location: 'Status of the new job.' },
    },
  },
  problems: [
    'not-found',
    'job-not-final',
    'job-inputs-gone',
    'insufficient-credits',
    'policy-unavailable',
    'model-unavailable',
  ],
});

/** A whole number in an address. */
const rowNumber = (max: number) =>
  z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^\d{1,9}$/)
          .transform(Number),
      ],
      'Use a whole number.',
    )
    .pipe(z.int().min(0).max(max));

/** A positive number in an address. */
const positiveNumber = (max: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,9}(\.\d{1,9})?$/)
          .transform(Number),
      ],
      'Use a number.',
    )
    .pipe(z.number().positive().max(max));

export const jobTrajectoryRoute = defineRoute({
  operationId: 'getJobTrajectory',
  method: 'get',
  path: '/inference/{id}/trajectory',
  access: 'user',
  tag: 'Inference',
  summary: 'Get the path of a camera that follows the velocities of a job',
  description:
    'Each velocity holds until the next processed frame, with gain 1. Poses are those of the camera in the frame of ' +
    'reference of the first processed frame: metres, x right, y down, z forward. The same path is `trajectory.csv` of the ZIP.',
  request: {
    params: idParams,
    query: z.strictObject({
      frameRate: positiveNumber(100_000).optional().meta({
        description: 'Frames per second. Default: those of the current video; 30 where it does not say.',
      }),
      from: rowNumber(999_999_999).default(0).meta({ description: 'First point of the answer, from 0.' }),
      limit: rowNumber(1000).pipe(z.int().min(1)).default(1000).meta({ description: 'Most points of the answer.' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'Points of the path, one for each row of the result.',
      schema: z.object({
        frameRate: z.number().meta({ description: 'Frames per second that were taken.' }),
        frameRateFrom: z.enum(['request', 'video', 'assumption']),
        total: z.int().meta({ description: 'Points of the whole path.' }),
        points: z.array(
          z.object({
            frame: z.int().meta({ description: 'Index of the frame in the current video.' }),
            seconds: z.number().meta({ description: 'Since the first processed frame.' }),
            position: z.array(z.number()).length(3).meta({ description: 'Metres.' }),
            rotation: z
              .array(z.number())
              .length(3)
              .meta({ description: 'Rotation vector: the axis times the angle in radians, at most π.' }),
            pathLength: z.number().meta({ description: 'Metres travelled so far.' }),
          }),
        ),
        nextRow: z.int().nullable().meta({ description: 'Where to go on; null after the last point.' }),
      }),
    },
  },
  problems: ['not-found', 'result-not-ready', 'job-without-result', 'result-gone'],
});

export const jobVelocityRoute = defineRoute({
  operationId: 'getJobVelocity',
  method: 'get',
  path: '/inference/{id}/velocity',
  access: 'user',
  tag: 'Inference',
  summary: 'Get velocities row by row, also while the job runs',
  description:
    'While the job runs, rows follow the runner by about a second; go on with `from` = `nextRow`. A new attempt (`attempt` ' +
    'changes) goes on behind the first `resumedRows` rows: go back there if you are further. Of a job that failed or was ' +
    'cancelled, the rows up to its last checkpoint stay for `CHECKPOINT_RETENTION`, also when another job has gone on from ' +
    'there; where none are kept, the answer is 409 `job-without-result`.',
  request: {
    params: idParams,
    query: z.strictObject({
      from: rowNumber(999_999_999).default(0).meta({ description: 'First row of the answer, from 0.' }),
      limit: rowNumber(1000).pipe(z.int().min(1)).default(1000).meta({ description: 'Most rows of the answer.' }),
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'The rows that are there.',
      schema: z.object({
        status: statusSchema,
        attempt: z.int(),
        resumedRows: z
          .int()
          .meta({ description: 'Rows that this attempt took over from those before; 0: it began anew.' }),
        complete: z.boolean().meta({ description: 'True when these are rows of the result, which do not change.' }),
        total: z.int().meta({ description: 'Rows that the result has, or will have.' }),
        rows: z.array(
          z.object({
            frame: z.int().meta({ description: 'Index of the frame in the current video.' }),
            velocity: z.array(z.number()).length(6),
          }),
        ),
        nextRow: z
          .int()
          .nullable()
          .meta({ description: 'Where to go on; null after the last row of a job that has ended.' }),
      }),
    },
  },
  problems: ['not-found', 'job-without-result', 'result-gone'],
});
