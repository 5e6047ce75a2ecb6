import { z } from 'zod';
import {
  RUNNER_SCHEMES,
  runnerKindSchema,
  runnerModelsSchema,
  runnerNameSchema,
  runnerSlotsSchema,
  runnerTokenSchema,
  runnerUrlSchema,
} from '../../contract/runner.contract.js';

/** A model server as settings have it. */
export interface RunnerSetting {
  name: string;
  kind: string;
  url: string;
  token: string | null;
  /** Null: as many as the server says. */
  slots: number | null;
  /** Null: all that it serves. */
  models: readonly string[] | null;
}

const MOST_RUNNERS = 256;

const runnerSchema = z
  .strictObject({
    name: runnerNameSchema,
    kind: runnerKindSchema,
    url: runnerUrlSchema,
    token: runnerTokenSchema.optional(),
    slots: runnerSlotsSchema.optional(),
    models: runnerModelsSchema.optional(),
  })
  .superRefine(({ kind, url }, context) => {
    const schemes = RUNNER_SCHEMES[kind];
    if (schemes.includes(new URL(url).protocol)) return;
    const list = schemes.map((scheme) => `${scheme}//`).join(', ');
    context.addIssue({ code: 'custom', path: ['url'], message: `a runner of the kind ${kind} is reached by ${list}` });
  });

const EXAMPLE = '[{"name":"gpu-1","kind":"fastapi","url":"http://gpu-1:8000"}]';

/** A list of runners in JSON; each name once, and none that the product uses itself. */
export const runnerSettings = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: `use a list in JSON, for example ${EXAMPLE}` });
      return z.NEVER;
    }
  })
  .pipe(
    z
      .array(runnerSchema, `use a list in JSON, for example ${EXAMPLE}`)
      .max(MOST_RUNNERS, `name ${MOST_RUNNERS} at most`),
  )
  .refine((runners) => new Set(runners.map(({ name }) => name)).size === runners.length, 'each name can be used once')
  .refine((runners) => runners.every(({ name }) => name !== 'embedded'), 'the name "embedded" is that of the engine')
  .transform((runners): RunnerSetting[] =>
    runners.map(({ token = null, slots = null, models = null, ...runner }) => ({ ...runner, token, slots, models })),
  );
