import { z } from 'zod';
import { defineRoute, idSchema, nextCursorSchema, pageQuery, timeSchema } from './route.contract.js';

const actionSchema = z
  .string()
  .max(100)
  .regex(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/, 'An action is an area and a verb, as in "credits.recharge".')
  .meta({ description: 'Area and verb.', example: 'credits.recharge' });

const auditEntrySchema = z.object({
  id: idSchema,
  actor: z
    .object({ id: idSchema, email: z.string() })
    .nullable()
    .meta({ description: 'Who did it; null for the platform itself and for people who were not logged in.' }),
  action: actionSchema,
  target: z.object({ type: z.string().meta({ example: 'user' }), id: z.string() }),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  request_id: z.string().nullable(),
  address: z.string().nullable().meta({ description: 'Network address of the client.' }),
  created_at: timeSchema,
});

export const listAuditRoute = defineRoute({
  operationId: 'listAudit',
  method: 'get',
  path: '/admin/audit',
  access: 'admin',
  tag: 'Administration',
  summary: 'List what administrators did, newest first',
  request: {
    query: z.strictObject({
      action: actionSchema.optional(),
      actor: idSchema.optional().meta({ description: 'Id of the user who acted.' }),
      target: z.string().min(1).max(200).optional().meta({ description: 'Id of what was acted on.' }),
      ...pageQuery,
    }),
  },
  success: {
    status: 200,
    answer: {
      description: 'A page of the audit log.',
      schema: z.object({ entries: z.array(auditEntrySchema), nextCursor: nextCursorSchema }),
    },
  },
  problems: [],
});
