import { z } from 'zod';

/**
 * A list whose first wrong element ends the reading. `z.array` collects what is wrong with every one: of a million wrong
 * elements, which a broken server sends in a few megabytes, that is more than the stack and the memory hold.
 *
 * @param most elements
 */
export function listOf<Output>(element: z.ZodType<Output>, most = Infinity) {
  return z.array(z.unknown()).transform((values, context): Output[] => {
    if (values.length > most) {
      context.addIssue({ code: 'custom', message: `has more than ${most} elements` });
      return z.NEVER;
    }
    const read: Output[] = [];
    for (const [index, value] of values.entries()) {
      const parsed = element.safeParse(value);
      if (!parsed.success) {
        const [{ message, path }] = parsed.error.issues;
        context.addIssue({ code: 'custom', message, path: [index, ...path] });
        return z.NEVER;
      }
      read.push(parsed.data);
    }
    return read;
  });
}
