import {
  OpenApiGeneratorV31,
  OpenAPIRegistry,
  type RouteConfig,
  type ZodContentObject,
} from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { problemExample, setExamples } from './openapi-examples.js';
import { DOCUMENTED_CNS, documentModels } from './openapi-models.js';
import { PROBLEM_KINDS, problemSchema, type ProblemCode } from './problem.contract.js';
import { IDEMPOTENCY_KEY, TAGS, type RouteAnswer, type RouteDescriptor, type Tag } from './route.contract.js';
import { ROUTES } from './routes.js';

/** What any route of a kind can answer with, beside what it names itself. */
function commonProblems({ access, request, unlimited, idempotency }: RouteDescriptor): ProblemCode[] {
  return [
    ...(access === 'none' ? [] : (['authentication-required', 'invalid-token', 'insufficient-scope'] as const)),
    ...(access === 'session' ? (['session-required'] as const) : []),
    ...(access === 'admin' ? (['forbidden'] as const) : []),
    ...(request?.params === undefined ? [] : (['not-found'] as const)),
    ...(request?.body === undefined
      ? []
      : (['malformed-json', 'payload-too-large', 'unsupported-media-type'] as const)),
    ...(unlimited === true ? [] : (['too-many-requests'] as const)),
    'malformed-request',
    'uri-too-long',
    'headers-too-large',
    'validation-failed',
    ...(idempotency === 'key' ? (['idempotency-key-in-use', 'idempotency-key-reused'] as const) : []),
    'internal-error',
    'service-unavailable',
  ];
}

const problemsOf = (route: RouteDescriptor): ProblemCode[] => [...route.problems, ...commonProblems(route)];

/** What each chapter of the docs is about. */
const TAG_DESCRIPTIONS: Record<Tag, string> = {
  Accounts: 'Who you are: registration, tokens, keys.',
  Credits: 'What things cost, what you have, and where it went.',
  Datasets: 'Named collections of videos.',
  Videos: 'What is in a dataset, and how it gets there.',
  Models: 'What jobs can run, and with which parameters.',
  Inference: 'Jobs: submit, follow, end, and fetch results.',
  Usage: 'What your jobs have consumed: time, energy, carbon, credits.',
  Events: 'What happens to your jobs, as it happens; every way to listen reads one log without gaps.',
  Webhooks: 'The same events, delivered to a server of yours.',
  Administration: 'For administrators of the installation.',
  Service: 'The server itself.',
};

/** On every answer, for short. */
const RESPONSE_HEADERS = {
  'X-Request-Id': 'Names the request in the logs; the client’s own where it sent one.',
  'RateLimit-Policy': 'Requests that the caller may make (`q`) in a time (`w`, seconds).',
  RateLimit: 'How many of those are left (`r`), and when all of them are back (`t`, seconds).',
} as const;

const PROBLEM_HEADERS: Partial<Record<number, Record<string, string>>> = {
  401: { 'WWW-Authenticate': 'How to authenticate (RFC 6750).' },
  429: { 'Retry-After': 'Seconds to wait.' },
  503: { 'Retry-After': 'Seconds to wait.' },
};

/** The OpenAPI 3.1 document of every route, with what every installation can run. */
export const buildOpenApi = (version: string, apiVersion = 'v1') =>
  documentModels(buildOpenApiBase(version, apiVersion), [DOCUMENTED_CNS]);

/** The same without a word on the parameters of single models. */
export function buildOpenApiBase(version: string, apiVersion: string) {
  const registry = new OpenAPIRegistry();
  for (const [name, description] of Object.entries(RESPONSE_HEADERS)) {
    registry.registerComponent('headers', name, { description, schema: { type: 'string' } });
  }
  for (const code of new Set(ROUTES.flatMap(problemsOf))) {
    const value = problemExample(code);
    registry.registerComponent('examples', code, { summary: value.title, value });
  }
  registry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    description:
      'The token that `POST /api/auth/login` gives (a JWT), or an API key of `POST /api/user/api-keys` (`ink_…`). A key ' +
      'needs the scope `read` for GET, `write` for the rest, `admin` for what is for administrators.',
  });
  for (const route of ROUTES) registry.registerPath(toPath(route));
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'InferNode',
      version,
      description:
        'Asynchronous ML inference: upload videos into datasets, submit jobs, follow them live on the WebSocket `/ws`, ' +
        'fetch results with their carbon footprint. Every error is `application/problem+json` (RFC 9457).',
      contact: { name: 'Whoever runs this installation' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      { url: '/api', description: 'This server.' },
      { url: `/api/${apiVersion}`, description: 'The same, by the version of the API.' },
    ],
    tags: TAGS.filter((name) => ROUTES.some(({ tag }) => tag === name)).map((name) => ({
      name,
      description: TAG_DESCRIPTIONS[name],
    })),
  });
  setExamples(document);
  return document;
}

function toPath(route: RouteDescriptor): RouteConfig {
  return {
    operationId: route.operationId,
    method: route.method,
    path: route.path,
    ...(route.outsideApi === true ? { servers: [{ url: '/', description: 'Beside the API' }] } : {}),
    tags: [route.tag],
    summary: route.summary,
    description: route.description ?? route.success.answer.description,
    security: route.access === 'none' ? [] : [{ bearerAuth: [] }],
    request: toRequest(route),
    responses: {
      [route.success.status]: toSuccess(route),
      ...Object.fromEntries(
        (route.success.also ?? []).map(({ status, description }) => [
          status,
          status === 304 ? { description } : { ...toSuccess(route), description },
        ]),
      ),
      ...toNothingLeft(route),
      ...toProblems(route),
    },
  };
}

const keyHeader = z.object({
  [IDEMPOTENCY_KEY]: z
    .string()
    .regex(/^[!-~]{1,255}$/)
    .optional()
    .meta({
      description:
        'Chosen by the client, new for each intention. Sent again with the same request, it gets the same answer ' +
        '(with `Idempotency-Replayed: true`) and nothing happens twice. An answer that refuses leaves the key free.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    }),
});

function toRequest({ request, method, idempotency }: RouteDescriptor): RouteConfig['request'] {
  const headers = idempotency === 'key' ? keyHeader.extend(request?.headers?.shape ?? {}) : request?.headers;
  return {
    ...(request?.params === undefined ? {} : { params: request.params }),
    ...(request?.query === undefined ? {} : { query: request.query }),
    ...(headers === undefined ? {} : { headers }),
    // A body of a GET is taken (and described in words), but no browser can send one from the docs.
    ...(request?.body === undefined || method === 'get'
      ? {}
      : { body: { required: true, content: { 'application/json': { schema: request.body } } } }),
    ...(request?.stream === undefined
      ? {}
      : {
          body: {
            description: request.stream.description,
            required: true,
            content: { [request.stream.contentType]: { schema: z.string().meta({ format: 'binary' }) } },
          },
        }),
    ...(request?.multipart === undefined
      ? {}
      : {
          body: {
            required: true,
            content: {
              'multipart/form-data': {
                schema: request.multipart.fields.extend({
                  [request.multipart.file]: z
                    .string()
                    .meta({ format: 'binary', description: request.multipart.fileDescription }),
                }),
              },
            },
          },
        }),
  };
}

const REPLAYED = { 'Idempotency-Replayed': '`true` for an answer that was given before.' };

function toSuccess({ success: { answer }, idempotency }: RouteDescriptor): RouteConfig['responses'][string] {
  return {
    description: answer.description,
    headers: {
      ...commonHeaders(),
      ...describedHeaders({ ...answer.headers, ...(idempotency === 'key' ? REPLAYED : {}) }),
    },
    ...toContent(answer),
  };
}

const commonHeaders = () =>
  Object.fromEntries(Object.keys(RESPONSE_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]));

const describedHeaders = (headers: Record<string, string> = {}) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' as const } }]),
  );

function toNothingLeft({ success: { answer } }: RouteDescriptor): RouteConfig['responses'] {
  const description = 'schema' in answer ? answer.stream?.nothingLeft : undefined;
  return description === undefined ? {} : { 204: { description, headers: commonHeaders() } };
}

function toContent(answer: RouteAnswer): { content?: ZodContentObject } {
  if ('isEmpty' in answer) return {};
  if ('contentType' in answer) {
    return { content: { [answer.contentType]: { schema: z.string().meta({ format: 'binary' }) } } };
  }
  const stream = z.string().meta({ description: answer.stream?.description });
  return {
    content: {
      'application/json': { schema: answer.schema },
      ...(answer.stream === undefined ? {} : { 'text/event-stream': { schema: stream } }),
    },
  };
}

function toProblems(route: RouteDescriptor): RouteConfig['responses'] {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(problemsOf(route))) {
    const { status } = PROBLEM_KINDS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, codes]) => [
        status,
        {
          description: codes.map((code) => `\`${code}\`: ${PROBLEM_KINDS[code].title}`).join('; '),
          headers: {
            ...commonHeaders(),
            ...describedHeaders(PROBLEM_HEADERS[status]),
          },
          content: {
            'application/problem+json': {
              schema: problemSchema,
              examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
            },
          },
        },
      ]),
  );
}
