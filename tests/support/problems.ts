import { expect } from 'vitest';
import { PROBLEM_KINDS, problemSchema, type ProblemCode } from '../../src/contract/problem.contract.js';
import type { ApiAnswer } from './api-client.js';

/** A whole problem document (RFC 9457) with this code, its status, and no word about our insides. */
export function expectProblem(answer: ApiAnswer<unknown>, code: ProblemCode, field?: string): void {
  const { body, headers, status } = answer;
  expect(body, JSON.stringify(body)).toMatchObject({ code, status: PROBLEM_KINDS[code].status });
  expect(status).toBe(PROBLEM_KINDS[code].status);
  expect(headers.get('content-type')).toContain('application/problem+json');
  const problem = problemSchema.strict().parse(body);
  expect(problem.requestId).toBe(headers.get('x-request-id'));
  expect(JSON.stringify(body)).not.toMatch(/Sequelize|node_modules|\bat .+:\d+:\d+|SELECT |INSERT /);
  if (field !== undefined) expect(problem.errors.map(({ path }) => path)).toContain(field);
}
