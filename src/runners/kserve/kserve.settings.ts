import { z } from 'zod';

import { DETECTOR_NAMES } from '../detector.js';
import { POLICIES } from '../runner.port.js';

/** What can be said of a server of the Open Inference Protocol beside its address. All of it may be left out. */
export const kserveSettingsSchema = z.strictObject({
  modelName: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Name of the model on the server; default: that of the job'),
  modelVersion: z.string().min(1).max(100).optional().describe('Version of the model; default: the server chooses'),
  device: z.enum(['cpu', 'gpu']).default('cpu').describe('What the model runs on, where its answers do not say'),
  policies: z
    .array(z.enum(POLICIES))
    .min(1)
    .default([...POLICIES])
    .describe('Policies that the model has'),
  detectors: z
    .array(z.enum(DETECTOR_NAMES))
    .min(1)
    .default([...DETECTOR_NAMES])
    .describe('Detectors that it has'),
  batchFrames: z.int().min(1).max(1024).default(16).describe('Most frames in one request'),
  batchBytes: z
    .int()
    .min(64 * 1024)
    .max(512 * 1024 ** 2)
    // What many servers take over gRPC (4 MiB) less the goal picture of a common camera and the words around it.
    .default(4 * 1024 ** 2 - 64 * 1024)
    .describe('Most bytes of pictures in one request, the goal included'),
  encoding: z
    .enum(['binary', 'json'])
    .optional()
    .describe('How tensors travel over HTTP; default: binary where the server says that it can'),
  sequences: z
    .boolean()
    .default(true)
    .describe('Whether requests of a job are marked as a sequence, for models that remember'),
});

export type KserveSettings = z.infer<typeof kserveSettingsSchema>;
export type KserveSettingsInput = z.input<typeof kserveSettingsSchema>;
