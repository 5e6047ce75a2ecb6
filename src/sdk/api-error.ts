import type { IncomingMessage } from 'node:http';
import { problemSchema, type Problem, type ProblemCode } from '../contract/problem.contract.js';

/** The server refused. With InferNode itself there is a problem document; a proxy in between may answer without one. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** Of the HTTP answer. */
    readonly status: number,
    /** RFC 9457 problem details; null when the answer held none. */
    readonly problem: Problem | null,
    message: string,
    /** From `Retry-After`; null without that header. */
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }

  get code(): ProblemCode | null {
    return this.problem?.code ?? null;
  }

  static of(operation: string, answer: Pick<IncomingMessage, 'statusCode' | 'headers'>, body: string): ApiError {
    const status = answer.statusCode ?? 0;
    const problem = parseProblem(answer.headers['content-type'], body);
    const reason = problem === null ? `HTTP status ${status}` : `${problem.detail} (${problem.code})`;
    const retryAfter = Number(answer.headers['retry-after'] ?? Number.NaN);
    return new ApiError(status, problem, `${operation}: ${reason}`, Number.isNaN(retryAfter) ? null : retryAfter);
  }
}

/** The server answered with success, but not with what the contract says: another version, or something in between. */
export class UnexpectedAnswerError extends Error {
  override readonly name = 'UnexpectedAnswerError';
}

function parseProblem(contentType: string | undefined, body: string): Problem | null {
  if (contentType === undefined || !contentType.startsWith('application/problem+json')) return null;
  try {
    return problemSchema.safeParse(JSON.parse(body)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
