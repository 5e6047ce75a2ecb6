import { z } from 'zod';

import { isDetector } from '../detector.js';
import {
  CHECKPOINT_STATE_BYTES,
  ENERGY_METHODS,
  FRAME_PROBLEMS,
  POLICIES,
  VISUALIZE_MODES,
  type RunCheckpoint,
  type RunInput,
  type RunResult,
} from '../runner.port.js';
import { RUNNER_ERROR_CODES } from './error-codec.js';

/**
 * What the runner and an engine process say to each other over the IPC channel. Every message is parsed where it
 * arrives: an engine handles untrusted videos, so the runner does not take its word for the shape of anything.
 */

export const ROWS_PER_MESSAGE = 1_000;

const intrinsicsSchema = z.object({
  fx: z.number(),
  fy: z.number(),
  cx: z.number(),
  cy: z.number(),
});

const velocitySchema = z.array(z.array(z.number()).length(6));

const framesSchema = z.array(
  z.object({
    frame: z.int().nonnegative(),
    keypoints: z.int().nonnegative().nullable(),
    matches: z.int().nonnegative().nullable(),
    inliers: z.int().nonnegative().nullable(),
    featureErrorPx: z.number().nullable(),
    problem: z.enum(FRAME_PROBLEMS).nullable(),
  }),
);

const usageSchema = z.object({
  wallSeconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  gpuSeconds: z.number().nonnegative(),
  memoryGibSeconds: z.number().nonnegative().nullish(),
  energy: z
    .object({
      method: z.enum(ENERGY_METHODS),
      cpuWh: z.number().nullable(),
      gpuWh: z.number().nullable(),
      memoryWh: z.number().nullable(),
      source: z.string(),
    })
    .nullable(),
  reportedCarbonGrams: z.number().nullable(),
});

const stateSchema = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.byteLength <= CHECKPOINT_STATE_BYTES,
);

const runInputSchema = z.object({
  jobId: z.string(),
  attempt: z.int().positive(),
  goalVideoPath: z.string(),
  currentVideoPath: z.string(),
  parameters: z.object({
    startFrame: z.int().nonnegative(),
    endFrame: z.int().nonnegative(),
    frameStep: z.int().positive(),
    goalFrameId: z.int().nonnegative(),
    detector: z.string().refine(isDetector),
    policy: z.enum(POLICIES),
    useGpus: z.boolean(),
    intrinsics: intrinsicsSchema,
    distance: z.number().positive(),
    visualize: z.enum(VISUALIZE_MODES),
  }),
  model: z.object({ name: z.string(), version: z.string(), parameters: z.record(z.string(), z.unknown()) }),
  archivePath: z.string(),
  frameRate: z.number().positive().nullish(),
  resume: z
    .object({
      velocity: velocitySchema,
      frames: framesSchema,
      state: stateSchema,
      picturesPaths: z.array(z.string()),
    })
    .optional(),
}) satisfies z.ZodType<RunInput>;

const runResultSchema = z.object({
  velocity: velocitySchema,
  frames: framesSchema,
  goal: z.object({ frame: z.int().nonnegative(), keypoints: z.int().nonnegative().nullable() }),
  device: z.enum(['cpu', 'gpu']),
  model: z.object({ name: z.string(), digest: z.string() }).nullable(),
  usage: usageSchema,
  message: z.string(),
  warnings: z.array(z.string()),
}) satisfies z.ZodType<RunResult>;

const checkpointSchema = z.object({
  firstRow: z.int().nonnegative(),
  velocity: velocitySchema,
  frames: framesSchema,
  state: stateSchema,
  picturesPath: z.string().nullable(),
}) satisfies z.ZodType<RunCheckpoint>;

export const runnerMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run'),
    runId: z.int(),
    input: runInputSchema,
    /** Whether anybody wants its checkpoints. */
    wantsCheckpoints: z.boolean(),
    /** Weights for the policy `cns`. */
    cnsWeights: z.object({ path: z.string(), digest: z.string() }).optional(),
    picturesMaxBytes: z.int().positive(),
  }),
  z.object({ type: z.literal('cancel'), runId: z.int() }),
]);

export const engineMessageSchema = z.discriminatedUnion('type', [
  /** The engine's modules are loaded; jobs may come. */
  z.object({ type: z.literal('ready') }),
  /** The job has arrived and is begun. */
  z.object({ type: z.literal('begun'), runId: z.int() }),
  /** At work on something that has a deadline of its own (the decoder skipping to the first frame). */
  z.object({ type: z.literal('alive'), runId: z.int() }),
  z.object({
    type: z.literal('progress'),
    runId: z.int(),
    processed: z.int().nonnegative(),
    total: z.int().nonnegative(),
  }),
  /** Consumed by the job so far. */
  z.object({ type: z.literal('usage'), runId: z.int(), usage: usageSchema }),
  /** Finished rows of the result, in order. */
  z.object({
    type: z.literal('rows'),
    runId: z.int(),
    rows: z.array(z.array(z.number()).length(6)).max(ROWS_PER_MESSAGE),
  }),
  /** Need not be done again. */
  z.object({ type: z.literal('checkpoint'), runId: z.int(), checkpoint: checkpointSchema }),
  z.object({
    type: z.literal('done'),
    runId: z.int(),
    result: runResultSchema,
    rssBytes: z.number(),
  }),
  z.object({
    type: z.literal('failed'),
    runId: z.int(),
    code: z.enum(RUNNER_ERROR_CODES),
    message: z.string(),
    rssBytes: z.number(),
  }),
  z.object({
    type: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()),
  }),
]);

/** From the runner to an engine process. */
export type RunnerMessage = z.infer<typeof runnerMessageSchema>;
/** From an engine process to the runner. */
export type EngineMessage = z.infer<typeof engineMessageSchema>;
