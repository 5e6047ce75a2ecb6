import { z } from 'zod';

interface ProblemKind {
  status: number;
  title: string;
  /** True when the same request may succeed later without being changed. */
  retryable: boolean;
}

/** Every error the API can answer with. A code that is thrown but not listed here does not compile. */
export const PROBLEM_KINDS = {
  'malformed-request': { status: 400, title: 'The request cannot be read', retryable: false },
  'malformed-json': { status: 400, title: 'The body is not valid JSON', retryable: false },
  'malformed-multipart': { status: 400, title: 'The multipart body cannot be read', retryable: false },
  'authentication-required': { status: 401, title: 'Authentication is required', retryable: false },
  'invalid-token': { status: 401, title: 'The token is not valid', retryable: false },
  'invalid-credentials': { status: 401, title: 'Email or password is wrong', retryable: false },
  'insufficient-credits': { status: 402, title: 'Not enough credits', retryable: false },
  'insufficient-scope': { status: 403, title: 'The API key lacks a scope', retryable: false },
  'session-required': { status: 403, title: 'This takes a login, not an API key', retryable: false },
  forbidden: { status: 403, title: 'Not allowed', retryable: false },
  'not-found': { status: 404, title: 'Not found', retryable: false },
  'route-not-found': { status: 404, title: 'No such route', retryable: false },
  'method-not-allowed': { status: 405, title: 'Method not allowed', retryable: false },
  'request-timeout': { status: 408, title: 'The request took too long to arrive', retryable: true },
  'refresh-token-spent': { status: 409, title: 'The refresh token has just been used', retryable: false },
  'last-administrator': { status: 409, title: 'This is the last administrator', retryable: false },
  'limit-reached': { status: 409, title: 'A limit of the account is reached', retryable: false },
  'email-taken': { status: 409, title: 'The email address is already registered', retryable: false },
  'name-taken': { status: 409, title: 'The name is already in use', retryable: false },
  'model-version-taken': { status: 409, title: 'The model has this version already', retryable: false },
  'model-in-use': { status: 409, title: 'The model is still needed', retryable: false },
  'job-already-final': { status: 409, title: 'The job has already ended', retryable: false },
  'job-not-final': { status: 409, title: 'The job has not ended yet', retryable: true },
  'job-inputs-gone': { status: 409, title: 'The inputs of the job were deleted', retryable: false },
  'result-not-ready': { status: 409, title: 'The job has no result yet', retryable: true },
  'job-without-result': { status: 409, title: 'The job ended without a result', retryable: false },
  'already-refunded': { status: 409, title: 'The credits have been given back already', retryable: false },
  'idempotency-key-in-use': {
    status: 409,
    title: 'The same request is being worked on',
    retryable: true,
  },
  'too-many-webhooks': { status: 409, title: 'There are too many webhooks', retryable: false },
  'webhook-disabled': { status: 409, title: 'The webhook is switched off', retryable: false },
  'runner-in-use': { status: 409, title: 'Jobs are running on the runner', retryable: true },
  'runner-configured': { status: 409, title: 'The runner belongs to the settings', retryable: false },
  'upload-offset-conflict': { status: 409, title: 'The upload goes on at another offset', retryable: false },
  'upload-incomplete': { status: 409, title: 'Bytes of the upload are missing', retryable: false },
  'upload-not-open': { status: 409, title: 'The upload is being finished or is done', retryable: false },
  'events-gone': { status: 410, title: 'The events are no longer kept', retryable: false },
  'result-gone': { status: 410, title: 'The result is no longer there', retryable: false },
  'upload-expired': { status: 410, title: 'The upload has expired', retryable: false },
  'precondition-failed': { status: 412, title: 'It has changed meanwhile', retryable: false },
  'unsupported-protocol-version': { status: 412, title: 'The protocol version is not supported', retryable: false },
  'payload-too-large': { status: 413, title: 'The request is too large', retryable: false },
  'uri-too-long': { status: 414, title: 'The address is too long', retryable: false },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported', retryable: false },
  'unsupported-video': { status: 415, title: 'The file is not a video that can be used', retryable: false },
  'range-not-satisfiable': { status: 416, title: 'The range lies outside of the content', retryable: false },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met', retryable: false },
  'unsupported-archive': { status: 415, title: 'The file is not an archive that can be used', retryable: false },
  'validation-failed': { status: 422, title: 'The request is not valid', retryable: false },
  'nothing-to-refund': { status: 422, title: 'Nothing was paid', retryable: false },
  'balance-limit': { status: 422, title: 'The balance would become too large', retryable: false },
  'idempotency-key-reused': { status: 422, title: 'The key belongs to another request', retryable: false },
  'corrupt-video': { status: 422, title: 'The video is damaged', retryable: false },
  'corrupt-archive': { status: 422, title: 'The archive is damaged', retryable: false },
  'archive-refused': { status: 422, title: 'The archive holds what is not accepted', retryable: false },
  'empty-dataset': { status: 422, title: 'The dataset has no videos', retryable: false },
  'policy-unavailable': { status: 422, title: 'The policy is not available', retryable: false },
  'model-unavailable': { status: 422, title: 'The model is not available', retryable: false },
  'upload-busy': { status: 423, title: 'Another request is writing to the upload', retryable: true },
  'too-many-requests': { status: 429, title: 'Too many requests', retryable: true },
  'headers-too-large': { status: 431, title: 'The headers are too large', retryable: false },
  'internal-error': { status: 500, title: 'Something went wrong on our side', retryable: true },
  'service-unavailable': { status: 503, title: 'The service is not available right now', retryable: true },
  'storage-full': { status: 507, title: 'The storage is full', retryable: true },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEM_KINDS;

export const PROBLEM_CODES = Object.keys(PROBLEM_KINDS) as [ProblemCode, ...ProblemCode[]];

/** RFC 9457 problem details, with the members InferNode adds. */
export const problemSchema = z
  .object({
    type: z.string().meta({ example: 'urn:infernode:problem:validation-failed' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'Path of the request.' }),
    code: z.enum(PROBLEM_CODES),
    retryable: z.boolean(),
    requestId: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .meta({ description: 'One entry for each field that was refused; empty for other problems.' }),
    required: z.int().optional().meta({ description: 'insufficient-credits: what the request would cost.' }),
    firstSeq: z.int().optional().meta({ description: 'events-gone: position of the first event that is kept.' }),
    balance: z.int().optional().meta({ description: 'insufficient-credits: what the account holds.' }),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemSchema>;
