import { OpenApiGeneratorV31, OpenAPIRegistry, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { PROBLEM_KINDS, problemSchema, type ProblemCode } from './problem.contract.js';
import { TAGS, type RouteDescriptor } from './route.contract.js';
import { ROUTES } from './routes.js';

/** What any route of a kind can answer with, beside what it names itself. */
function commonProblems({ access, request, unlimited }: RouteDescriptor): ProblemCode[] {
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
    'internal-error',
    'service-unavailable',
  ];
}

/** The OpenAPI 3.1 document of every route. */
export function buildOpenApi(version: string) {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    description:
      'The token that `POST /api/auth/login` gives (a JWT), or an API key of `POST /api/user/api-keys` (`ink_…`). A key ' +
      'needs the scope `read` for GET, `write` for the rest, `admin` for what is for administrators.',
  });
  for (const route of ROUTES) registry.registerPath(toPath(route));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'InferNode',
      version,
      description:
        'Asynchronous ML inference: upload videos into datasets, submit jobs, follow them live on the WebSocket `/ws`, ' +
        'fetch results with their carbon footprint. Every error is `application/problem+json` (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: TAGS.filter((name) => ROUTES.some(({ tag }) => tag === name)).map((name) => ({ name })),
  });
}

function toPath(route: RouteDescriptor): RouteConfig {
  return {
    operationId: route.operationId,
    method: route.method,
    path: `/api${route.path}`,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    security: route.access === 'none' ? [] : [{ bearerAuth: [] }],
    request: toRequest(route),
    responses: {
      [route.success.status]: toSuccess(route),
      ...Object.fromEntries(
        (route.success.also ?? []).map(({ status, description }) => [status, { ...toSuccess(route), description }]),
      ),
      ...toProblems(route),
    },
  };
}

function toRequest({ request, method }: RouteDescriptor): RouteConfig['request'] {
  return {
    ...(request?.params === undefined ? {} : { params: request.params }),
    ...(request?.query === undefined ? {} : { query: request.query }),
    ...(request?.headers === undefined ? {} : { headers: request.headers }),
    // A body of a GET is taken (and described in words), but no browser can send one from the docs.
    ...(request?.body === undefined || method === 'get'
      ? {}
      : { body: { required: true, content: { 'application/json': { schema: request.body } } } }),
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

function toSuccess({ success: { answer } }: RouteDescriptor): RouteConfig['responses'][string] {
  const headers = Object.entries(answer.headers ?? {}).map(
    ([name, description]) => [name, { description, schema: { type: 'string' as const } }] as const,
  );
  return {
    description: answer.description,
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    content:
      'schema' in answer
        ? { 'application/json': { schema: answer.schema } }
        : { [answer.contentType]: { schema: z.string().meta({ format: 'binary' }) } },
  };
}

function toProblems(route: RouteDescriptor): RouteConfig['responses'] {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...route.problems, ...commonProblems(route)])) {
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
          content: { 'application/problem+json': { schema: problemSchema } },
        },
      ]),
  );
}
