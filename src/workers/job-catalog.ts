import { z } from 'zod';

export interface JobKindDefinition {
  queue: string;
  /** What a bell carries: ids only, the row says the rest. */
  payload: z.ZodType;
  /** The payload that names a row. */
  naming(id: string): Record<string, string>;
  /** At a time in one process, where that is not the number that is set for jobs. */
  concurrency?: number;
}

const define = <const T extends Record<string, JobKindDefinition>>(catalog: T): T => catalog;

/** Every kind of background job. The handlers' map is typed by it: a kind without a handler does not compile. */
export const JOB_CATALOG = define({
  'run-inference': {
    queue: 'inference',
    payload: z.object({ inferenceId: z.uuid() }),
    naming: (inferenceId) => ({ inferenceId }),
  },
  // They wait for others most of the time, and for no job.
  'deliver-webhook': {
    queue: 'webhooks',
    payload: z.object({ webhookId: z.uuid() }),
    naming: (webhookId) => ({ webhookId }),
    concurrency: 16,
  },
});

export type JobKind = keyof typeof JOB_CATALOG;
export type JobPayload<K extends JobKind> = z.output<(typeof JOB_CATALOG)[K]['payload']>;

/** @param shutdown fires when work is to be given back */
export type JobHandler<K extends JobKind> = (payload: JobPayload<K>, shutdown: AbortSignal) => Promise<void>;
export type JobHandlers = { [K in JobKind]: JobHandler<K> };

/** @throws ZodError for a payload that is not of its kind */
export function parsePayload<K extends JobKind>(kind: K, data: unknown): JobPayload<K> {
  return JOB_CATALOG[kind].payload.parse(data) as JobPayload<K>;
}
