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

/** Kinds of runners that are reached over the network. */
export const REMOTE_RUNNER_KINDS = ['fastapi', 'kserve'] as const;
export type RemoteRunnerKind = (typeof REMOTE_RUNNER_KINDS)[number];

/** How runners of each kind are reached. */
export const RUNNER_SCHEMES: Readonly<Record<RemoteRunnerKind, readonly string[]>> = {
  fastapi: ['http:', 'https:'],
  kserve: ['http:', 'https:', 'grpc:', 'grpcs:'],
};

const HEALTH_STATES = ['STARTING', 'READY', 'BUSY', 'UNHEALTHY', 'CLOSED'] as const;
const BREAKER_STATES = ['CLOSED', 'OPEN', 'HALF_OPEN'] as const;
const EVENT_KINDS = ['added', 'changed', 'removed', 'switch', 'health', 'breaker', 'pause'] as const;

export const runnerKindSchema = z.enum(REMOTE_RUNNER_KINDS).meta({
  description: '`fastapi`: `POST /analyze` of the CNS contract. `kserve`: Open Inference Protocol v2, HTTP or gRPC.',
});

export const runnerNameSchema = visibleText('A name', 64).meta({ example: 'gpu-1' });

export const runnerUrlSchema = z
  .url({
    protocol: /^(https?|grpcs?)$/,
    error: 'Use an address that starts with http://, https://, grpc:// or grpcs://.',
  })
  .max(2_000)
  // Parsers of addresses drop or encode them silently: what is shown would not be what is called.
  .refine(
    (text) => !/[\s\p{Cc}\p{Cs}]/u.test(text),
    'An address cannot contain spaces, control characters or broken text.',
  )
  // "https:me:secret@gpu-1" is an address to parsers, too, and hides its password from whoever looks for "://".
  .refine((text) => /^[^:]+:\/\/[^/\\]+/.test(text) && !text.includes('\\'), 'Put // and a host behind the scheme.')
  .refine((text) => !/^[^:]+:\/\/[^/]*@/.test(text), 'Leave out user and password; a token has its own field.')
  .refine((text) => !/[?#]/.test(text), 'Leave out what begins with ? or #: paths are put behind the address.')
  .meta({ example: 'http://gpu-1.lab:8000' });

export const runnerTokenSchema = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[\x21-\x7e]+$/, 'A token has visible ASCII characters only.')
  .meta({ description: 'Sent as `Authorization: Bearer …`. Kept sealed, never shown.' });

export const runnerSlotsSchema = z.int().min(1).max(256);

export const runnerModelsSchema = z
  .array(z.string().min(1).max(100))
  .min(1)
  .max(64)
  .refine((models) => new Set(models).size === models.length, 'Name each model once.');

const modelIdentitySchema = z.object({ name: z.string(), digest: z.string() });

const descriptionMembers = {
  device: z.enum(['cpu', 'gpu']),
  models: z.array(z.string()).meta({ description: 'Names of the models that it is used for.' }),
  policies: z.array(z.string()),
  detectors: z.array(z.string()),
};

const runnerSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    kind: z.string().meta({ description: '`embedded`: the engine inside the workers.', example: 'fastapi' }),
    url: z.string().nullable(),
    has_token: z.boolean(),
    slots: z.int().meta({
      description: 'Jobs at a time. Of the embedded engine: in each worker.',
    }),
    slots_from: z.enum(['runner', 'setting']).meta({ description: '`runner`: as many as it says.' }),
    in_flight: z.int().meta({ description: 'Jobs that run on it now.' }),
    origin: z
      .enum(['configuration', 'admin'])
      .meta({ description: '`configuration`: it follows the settings of the installation at each start.' }),
    enabled: z.boolean(),
    disabled_by: z.enum(['configuration', 'admin']).nullable(),
    draining: z.boolean().meta({ description: 'It gets no new jobs; those that run on it come to their end.' }),
    health: z.object({
      state: z.enum(HEALTH_STATES),
      detail: z.string().nullable(),
      checked_at: timeSchema.nullable(),
      latency_ms: z.int().nullable(),
    }),
    breaker: z
      .object({
        state: z.enum(BREAKER_STATES),
        failures: z.int().meta({ description: 'Failures in a row, by its own fault.' }),
        opened_until: timeSchema.nullable(),
      })
      .meta({ description: 'OPEN: it gets no jobs until then. HALF_OPEN: one job, whose end decides.' }),
    not_before: timeSchema.nullable().meta({ description: 'It asked to be left alone until then.' }),
    version: z.string(),
    ...descriptionMembers,
    weights: z
      .record(z.string(), modelIdentitySchema)
      .meta({ description: 'What the policies that have learned something work with, by policy.' }),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Runner' });

const runnerAnswer = (description: string, message: string) => ({
  description,
  schema: z.object({ message: messageSchema.meta({ example: message }), runner: runnerSchema }),
});

export const listRunnersRoute = defineRoute({
  operationId: 'listRunners',
  method: 'get',
  path: '/admin/runners',
  access: 'admin',
  tag: 'Administration',
  summary: 'List what runs jobs, oldest first',
  description: 'Tokens are never shown.',
  request: { query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of runners.',
      schema: z.object({ runners: z.array(runnerSchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});

export const createRunnerRoute = defineRoute({
  operationId: 'createRunner',
  method: 'post',
  path: '/admin/runners',
  access: 'admin',
  idempotency: 'key',
  tag: 'Administration',
  summary: 'Add a model server',
  description:
    'It gets jobs as soon as it has said that it is ready, which is asked within seconds; `test` asks at once. Addresses ' +
    'in private networks are fine: that is where model servers live.',
  request: {
    body: z
      .strictObject({
        name: runnerNameSchema,
        kind: runnerKindSchema,
        url: runnerUrlSchema,
        token: runnerTokenSchema.optional(),
        slots: runnerSlotsSchema
          .optional()
          .meta({ description: 'Jobs at a time. Left out: as many as the server says.' }),
        models: runnerModelsSchema
          .optional()
          .meta({ description: 'Models to use it for. Left out: all that it serves.' }),
        enabled: z.boolean().default(true),
      })
      .meta({ example: { name: 'gpu-1', kind: 'fastapi', url: 'http://gpu-1.lab:8000', slots: 2 } }),
  },
  success: { status: 201, answer: runnerAnswer('The runner, not asked yet how it is.', 'Runner added') },
  problems: ['name-taken'],
});

export const getRunnerRoute = defineRoute({
  operationId: 'getRunner',
  method: 'get',
  path: '/admin/runners/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Get a runner',
  request: { params: idParams },
  success: { status: 200, answer: { description: 'The runner.', schema: z.object({ runner: runnerSchema }) } },
  problems: ['not-found'],
});

export const updateRunnerRoute = defineRoute({
  operationId: 'updateRunner',
  method: 'patch',
  path: '/admin/runners/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Change a runner, switch it off or on',
  description:
    'What is left out stays. Jobs that run on it end as they began; new ones go to the changed runner. Switched off, it ' +
    'gets no new jobs. A runner that the settings name can be switched off and on, and changed there.',
  request: {
    params: idParams,
    body: z
      .strictObject({
        name: runnerNameSchema.optional(),
        url: runnerUrlSchema.optional(),
        token: runnerTokenSchema.nullable().optional().meta({ description: 'Null: it has none any more.' }),
        slots: runnerSlotsSchema.nullable().optional().meta({ description: 'Null: as many as the server says.' }),
        models: runnerModelsSchema.nullable().optional().meta({ description: 'Null: all that it serves.' }),
        enabled: z.boolean().optional(),
      })
      .refine((body) => Object.values(body).some((value) => value !== undefined), 'Send at least one field.')
      .meta({ example: { slots: 4 } }),
  },
  success: { status: 200, answer: runnerAnswer('The runner as it is now.', 'Runner updated') },
  problems: ['not-found', 'name-taken', 'runner-configured'],
});

export const deleteRunnerRoute = defineRoute({
  operationId: 'deleteRunner',
  method: 'delete',
  path: '/admin/runners/{id}',
  access: 'admin',
  tag: 'Administration',
  summary: 'Remove a runner',
  description:
    'Refused while jobs run on it: drain it first. One of the settings is removed there first; until then it can be switched off.',
  request: { params: idParams },
  success: {
    status: 200,
    answer: {
      description: 'It is gone.',
      schema: z.object({ message: messageSchema.meta({ example: 'Runner removed' }) }),
    },
  },
  problems: ['not-found', 'runner-in-use', 'runner-configured'],
});

export const testRunnerRoute = defineRoute({
  operationId: 'testRunner',
  method: 'post',
  path: '/admin/runners/{id}/test',
  access: 'admin',
  idempotency: { without: 'It asks the runner how it is, and may be asked again.' },
  tag: 'Administration',
  summary: 'Ask a runner now how it is, and what it can do',
  description: 'Answers within a few seconds, also when the runner does not.',
  request: { params: idParams },
  success: { status: 200, answer: runnerAnswer('The runner, with what it answered.', 'The runner is READY') },
  problems: ['not-found'],
});

export const drainRunnerRoute = defineRoute({
  operationId: 'drainRunner',
  method: 'post',
  path: '/admin/runners/{id}/drain',
  access: 'admin',
  idempotency: { without: 'Doing it again changes nothing.' },
  tag: 'Administration',
  summary: 'Give a runner no new jobs',
  description: 'What runs on it comes to its end; `in_flight` tells when nothing does any more.',
  request: { params: idParams },
  success: { status: 200, answer: runnerAnswer('The runner as it is now.', 'The runner gets no new jobs') },
  problems: ['not-found'],
});

export const resumeRunnerRoute = defineRoute({
  operationId: 'resumeRunner',
  method: 'post',
  path: '/admin/runners/{id}/resume',
  access: 'admin',
  idempotency: { without: 'Doing it again changes nothing.' },
  tag: 'Administration',
  summary: 'Give a runner jobs again',
  description: 'Ends a drain, an open breaker, and a pause that it asked for.',
  request: { params: idParams },
  success: { status: 200, answer: runnerAnswer('The runner as it is now.', 'The runner gets jobs again') },
  problems: ['not-found'],
});

export const listRunnerEventsRoute = defineRoute({
  operationId: 'listRunnerEvents',
  method: 'get',
  path: '/admin/runners/{id}/events',
  access: 'admin',
  tag: 'Administration',
  summary: 'See what became of a runner, newest first',
  description: 'Changes, and the transitions of its health and its breaker. Kept as long as the events of users are.',
  request: { params: idParams, query: z.strictObject(pageQuery) },
  success: {
    status: 200,
    answer: {
      description: 'A page of its history.',
      schema: z.object({
        events: z.array(
          z.object({
            id: idSchema,
            kind: z.enum(EVENT_KINDS).meta({
              description: '`switch`: enabled, disabled, draining, resumed. `pause`: it asked to be left alone.',
            }),
            from: z.string().nullable(),
            to: z.string().nullable(),
            detail: z.string().nullable(),
            created_at: timeSchema,
          }),
        ),
        nextCursor: nextCursorSchema,
      }),
    },
  },
  problems: ['not-found'],
});

export const availableRunnersRoute = defineRoute({
  operationId: 'availableRunners',
  method: 'get',
  path: '/runners',
  access: 'user',
  tag: 'Inference',
  summary: 'See what can run jobs',
  description: 'Runners in service, and how they are. Which one takes a job is decided when one is free.',
  success: {
    status: 200,
    answer: {
      description: 'All of them.',
      schema: z.object({
        runners: z.array(
          z.object({
            name: z.string(),
            kind: z.string(),
            state: z.enum(['READY', 'BUSY', 'DOWN']).meta({
              description:
                'BUSY: its slots are taken, or it asked for a pause. DOWN: not healthy, or failed too often.',
            }),
            ...descriptionMembers,
          }),
        ),
      }),
    },
  },
  problems: [],
});
