import { z } from 'zod';

import { listOf } from '../http-kit/list-schema.js';
import { ENERGY_METHODS, FRAME_PROBLEMS } from '../runner.port.js';

/**
 * What servers of the FastAPI contract say, as far as it is used. A server of the first version says the five fields of
 * an analysis and no more; whatever else is there has the form below. Unknown fields are left alone.
 */

const count = z.number().int().min(0);
/** Finite, also when many of them are added and multiplied: a nonsense of one server must not spoil the sums of a user. */
const amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const text = z.string().max(2000);

/** Numbers are looked at one by one elsewhere: what is wrong with them has names of its own. */
const velocity = listOf(listOf(z.number().nullable()));

const frameReportSchema = z.object({
  frame: count,
  keypoints: count.nullish(),
  matches: count.nullish(),
  inliers: count.nullish(),
  feature_error_px: amount.nullish(),
  problem: z.enum(FRAME_PROBLEMS).nullish(),
});

export const analysisSchema = z.object({
  velocity,
  download_url: z.string().min(1).max(4096),
  message: text.optional(),
  carbon_footprint: amount.nullish(),
  device: z.string().max(100).nullish(),
  goal: z.object({ frame: count.optional(), keypoints: count.nullish() }).nullish(),
  frames: listOf(frameReportSchema).nullish(),
  usage: z
    .object({ wall_seconds: amount.nullish(), cpu_seconds: amount.nullish(), gpu_seconds: amount.nullish() })
    .nullish(),
  energy: z
    .object({
      method: z.enum(ENERGY_METHODS),
      cpu_wh: amount.nullish(),
      gpu_wh: amount.nullish(),
      memory_wh: amount.nullish(),
      source: text,
    })
    .nullish(),
  model: z.object({ name: text.min(1), digest: text.min(1) }).nullish(),
  warnings: listOf(text, 100).nullish(),
});
export type Analysis = z.output<typeof analysisSchema>;

export const healthSchema = z.object({
  status: z.enum(['STARTING', 'READY', 'BUSY', 'UNHEALTHY']),
  detail: text.nullish(),
});

export const FEATURES = ['progress', 'cancel', 'partial', 'energy'] as const;
export type Feature = (typeof FEATURES)[number];

/** Names that are not known here are of no use here: lists keep them, and readers leave them out. */
export const capabilitiesSchema = z.object({
  version: z.string().min(1).max(100),
  models: listOf(z.object({ name: text.min(1), digest: text.nullish() }), 1000),
  detectors: listOf(text),
  policies: listOf(text),
  devices: listOf(text).refine((devices) => devices.length > 0, 'names no device'),
  slots: count.min(1),
  max_upload_bytes: count.nullish(),
  features: listOf(text).default([]),
});
export type Capabilities = z.output<typeof capabilitiesSchema>;

export const jobStateSchema = z.object({
  state: z.enum(['RECEIVING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED']),
  processed: count.nullish(),
  stopped_at: z.iso.datetime({ offset: true }).nullish(),
});

export const partialVelocitySchema = z.object({ from: count, velocity });

/** RFC 9457, and what FastAPI says by itself: a text, or a list of what is wrong with the form. */
export const refusalSchema = z.object({
  code: z.string().max(200).optional(),
  detail: z.union([z.string(), z.array(z.unknown())]).optional(),
});
