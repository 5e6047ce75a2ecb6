import { z } from 'zod';

const NAME = '[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*';
const VERSION = '[0-9A-Za-z][0-9A-Za-z.+-]*';
const MAX_NAME = 64;
const MAX_VERSION = 32;

export const modelNameSchema = z
  .string()
  .max(MAX_NAME)
  .regex(new RegExp(`^${NAME}$`), 'Use lower-case letters and digits in groups, joined by ".", "_" or "-".')
  .meta({ description: 'What users ask for; several versions share it.', example: 'drift' });

export const modelVersionSchema = z
  .string()
  .max(MAX_VERSION)
  .regex(new RegExp(`^${VERSION}$`), 'Use letters, digits, ".", "+" and "-", a letter or digit first.')
  .meta({ example: '1.0.0' });

/** A model as requests name it. */
export const modelReferenceSchema = z
  .string()
  .max(MAX_NAME + 1 + MAX_VERSION)
  .regex(new RegExp(`^${NAME}(?:@${VERSION})?$`), 'Use the name of a model, or name@version.');

/** The field of a request that picks the model. */
export const modelField = modelReferenceSchema.optional().meta({
  description:
    'What computes the velocities: a name of `GET /api/models`, for its newest version, or `name@version`. Default `cns`.',
});
