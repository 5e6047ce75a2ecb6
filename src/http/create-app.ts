import path from 'node:path';
import express, { Router, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import swaggerUi from 'swagger-ui-express';
import type { RouteDescriptor } from '../contract/route.contract.js';
import type { IdempotencyService } from '../modules/idempotency/idempotency.service.js';
import type { Logger } from '../platform/logging/logger.js';
import type { Authenticator } from './authenticate.js';
import { checkRequest } from './check-request.js';
import type { CorsPolicy } from './cors-policy.js';
import { mountRoutes } from './mount-routes.js';
import { problemHandler, unknownRoute } from './problem-handler.js';
import { requestContext } from './request-context.js';
import type { Route } from './route-table.js';
import type { TrafficLimits } from './traffic-limits.js';

export const ADMIN_CONSOLE_PATH = '/api/admin';

interface Options {
  routes: readonly Route[];
  before: ReadonlyMap<RouteDescriptor, RequestHandler[]>;
  capabilities: ReadonlyMap<string, Readonly<Record<string, string>>>;
  authenticator: Authenticator;
  limits: TrafficLimits;
  cors: CorsPolicy;
  idempotency: IdempotencyService;
  /** Pages under {@link ADMIN_CONSOLE_PATH} that are for people, and no part of the contract. */
  adminConsole: Router;
  apiVersion: string;
  trustProxyHops: number;
  logger: Logger;
}

/** The application of the API: not listening, and nothing of it outside these routes. */
export function createApp(options: Options): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', options.trustProxyHops);
  app.set('query parser', 'simple');
  app.set('etag', false);
  app.set('case sensitive routing', true);
  app.use(requestContext(options.logger));
  app.use(
    helmet({
      contentSecurityPolicy: { directives: { 'upgrade-insecure-requests': null } },
      // TLS ends at a proxy, which sets these for its name; over plain HTTP browsers only complain about them.
      strictTransportSecurity: false,
      crossOriginOpenerPolicy: false,
      originAgentCluster: false,
    }),
  );

  app.use(options.cors.answer);
  app.use(checkRequest);

  app.use(ADMIN_CONSOLE_PATH, options.adminConsole);
  // One address, so that there is one cookie.
  app.use(`/api/${options.apiVersion}/admin`, aliasOfConsole);
  const isOutside = ({ descriptor }: Route): boolean => descriptor.outsideApi === true;
  app.use(mountRoutes(options.routes.filter(isOutside), options));
  const api = mountRoutes(
    options.routes.filter((route) => !isOutside(route)),
    options,
  );
  for (const prefix of ['/api', `/api/${options.apiVersion}`]) {
    // Scripts and styles of Swagger UI; its page itself is a route like any other.
    app.use(`${prefix}/docs`, serveSwaggerAssets());
    app.use(prefix, noStore, api);
  }
  app.get('/', (_request, response) => response.redirect(302, '/api/docs'));
  app.use(options.limits.address, unknownRoute);
  app.use(problemHandler(options.logger));
  return app;
}

const CONSOLE_PAGE = /^\/(?:queues|login|logout)(?:[/?]|$)/;

/** 307: the method and the body stay what they are. */
const aliasOfConsole: RequestHandler = (request, response, next) => {
  if (CONSOLE_PAGE.test(request.url)) response.redirect(307, `${ADMIN_CONSOLE_PATH}${request.url}`);
  else next();
};

/** What the API says is for the caller, now. */
const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};

const SWAGGER_OPTIONS = {
  customSiteTitle: 'InferNode API',
  swaggerUrl: '/api/openapi.json',
  // No validator: it would be asked over the internet.
  swaggerOptions: { persistAuthorization: true, displayRequestDuration: true, validatorUrl: null },
};

const assets = swaggerUi.serveFiles(undefined, SWAGGER_OPTIONS);

/** Files with a name only: the page itself is a route like any other. */
function serveSwaggerAssets(): Router {
  const router = Router();
  router.use((request, _response, next) => next(path.extname(request.path) === '' ? 'router' : undefined), ...assets);
  return router;
}

/** Swagger UI for the document beside it. */
export function docsPage(): string {
  const page = swaggerUi.generateHTML(undefined, SWAGGER_OPTIONS);
  // Its files are named relative to a folder; the page's address has no slash at its end.
  return page.replace('<head>', '<head>\n  <base href="/api/docs/">');
}
