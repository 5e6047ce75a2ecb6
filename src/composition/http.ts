import os from 'node:os';
import type { Express, RequestHandler, Router } from 'express';
import { loginRoute, registerRoute } from '../contract/account.contract.js';
import { documentModels } from '../contract/openapi-models.js';
import { buildOpenApiBase } from '../contract/openapi.js';
import type { RouteDescriptor } from '../contract/route.contract.js';
import { changePasswordRoute } from '../contract/session.contract.js';
import { createUploadRoute } from '../contract/upload.contract.js';
import { Authenticator } from '../http/authenticate.js';
import { corsPolicy } from '../http/cors-policy.js';
import { ADMIN_CONSOLE_PATH, createApp, docsPage } from '../http/create-app.js';
import { registrationLimit, takeTurns } from '../http/rate-limits.js';
import { createQueueBoard } from '../http/queue-board.js';
import { readJson } from '../http/read-json.js';
import { UploadReceiver } from '../http/receive-upload.js';
import type { Route } from '../http/route-table.js';
import { TusProtocol, tusCapabilities } from '../http/tus-protocol.js';
import { handshakeLimit, trafficLimits, type TrafficLimits } from '../http/traffic-limits.js';
import { AccountAdminController } from '../modules/account/account-admin.controller.js';
import { AccountController } from '../modules/account/account.controller.js';
import { accountAdminRoutes, accountRoutes } from '../modules/account/account.router.js';
import { ApiKeyController } from '../modules/api-key/api-key.controller.js';
import { apiKeyRoutes } from '../modules/api-key/api-key.router.js';
import { AdminConsoleController } from '../modules/admin-console/admin-console.controller.js';
import { adminConsoleRouter } from '../modules/admin-console/admin-console.router.js';
import { AuditController } from '../modules/audit/audit.controller.js';
import { auditRoutes } from '../modules/audit/audit.router.js';
import { CreditController } from '../modules/credit/credit.controller.js';
import { creditRoutes } from '../modules/credit/credit.router.js';
import { DatasetController } from '../modules/dataset/dataset.controller.js';
import { datasetRoutes } from '../modules/dataset/dataset.router.js';
import { EventController } from '../modules/event/event.controller.js';
import { eventRoutes } from '../modules/event/event.router.js';
import { InferenceController } from '../modules/inference/inference.controller.js';
import { inferenceRoutes } from '../modules/inference/inference.router.js';
import { ModelController } from '../modules/model/model.controller.js';
import { presentDocumentedModel } from '../modules/model/model.presenter.js';
import { modelRoutes } from '../modules/model/model.router.js';
import { QuoteController } from '../modules/quote/quote.controller.js';
import { quoteRoutes } from '../modules/quote/quote.router.js';
import { RunnerController } from '../modules/runner/runner.controller.js';
import { runnerRoutes } from '../modules/runner/runner.router.js';
import { ReceiptController } from '../modules/receipt/receipt.controller.js';
import { receiptRoutes } from '../modules/receipt/receipt.router.js';
import { ServiceInfoController } from '../modules/service-info/service-info.controller.js';
import { serviceInfoRoutes } from '../modules/service-info/service-info.router.js';
import { SessionController } from '../modules/session/session.controller.js';
import { sessionRoutes } from '../modules/session/session.router.js';
import { UploadController } from '../modules/upload/upload.controller.js';
import { uploadRoutes } from '../modules/upload/upload.router.js';
import { VideoLibraryController } from '../modules/video/video-library.controller.js';
import { UsageController } from '../modules/usage/usage.controller.js';
import { usageRoutes } from '../modules/usage/usage.router.js';
import { WebhookController } from '../modules/webhook/webhook.controller.js';
import { webhookRoutes } from '../modules/webhook/webhook.router.js';
import { VideoController } from '../modules/video/video.controller.js';
import { videoRoutes } from '../modules/video/video.router.js';
import { Permits } from '../platform/permits.js';
import { VERSION } from '../platform/version.js';
import { AccessWatch } from '../realtime/access-watch.js';
import { EventStreams } from '../realtime/event-streams.js';
import { WebSocketGateway } from '../realtime/gateway.js';
import type { Container } from './container.js';

/** Every route with its handler, in the order of the docs. */
export function createRoutes(container: Container, access: AccessWatch): Route[] {
  const { services, infrastructure, config } = container;
  const uploads = new UploadReceiver(infrastructure.store, config.settings.MAX_UPLOAD_BYTES);
  const withoutModels = buildOpenApiBase(VERSION, config.settings.API_VERSION);
  const documents = {
    openapi: async () => {
      const { models, isComplete } = await services.models.listForDocument();
      return documentModels(withoutModels, models.map(presentDocumentedModel), isComplete);
    },
    docsPage: docsPage(),
  };
  return [
    ...accountRoutes(new AccountController(services.accounts)),
    ...sessionRoutes(new SessionController(services.sessions)),
    ...apiKeyRoutes(new ApiKeyController(services.apiKeys)),
    ...creditRoutes(new CreditController(services.credits)),
    ...quoteRoutes(new QuoteController(services.quotes)),
    ...datasetRoutes(new DatasetController(services.datasets)),
    ...videoRoutes(
      new VideoController(services.videos, uploads),
      new VideoLibraryController(services.library, services.thumbnails),
    ),
    ...uploadRoutes(new UploadController(services.uploads, new TusProtocol(services.uploads, services.uploadLocker))),
    ...modelRoutes(new ModelController(services.models, services.modelAdmin)),
    ...inferenceRoutes(
      new InferenceController({
        inference: services.inference,
        reading: services.inferenceReading,
        results: services.inferenceResults,
        waiter: services.jobWaiter,
      }),
    ),
    ...receiptRoutes(new ReceiptController(services.receipts)),
    ...usageRoutes(new UsageController(services.usage)),
    ...accountAdminRoutes(new AccountAdminController(services.accountAdmin)),
    ...runnerRoutes(new RunnerController(services.runnerAdmin, services.runnerView)),
    ...auditRoutes(new AuditController(services.audit)),
    ...eventRoutes(new EventController(services.events, createEventStreams(container, access))),
    ...webhookRoutes(new WebhookController(services.webhooks)),
    ...serviceInfoRoutes(
      new ServiceInfoController(services.serviceInfo, documents, {
        tokens: infrastructure.keys,
        receipts: services.receipts,
      }),
    ),
  ];
}

/** The HTTP application, not listening. */
export function createHttpApp(container: Container, access: AccessWatch): Express {
  const { settings } = container.config;
  const turn = takeTurns(new Permits(Math.max(1, os.availableParallelism() - 1)));
  const before = new Map<RouteDescriptor, RequestHandler[]>([
    [registerRoute, [readJson, turn, registrationLimit(settings.AUTH_RATE_LIMIT)]],
    [loginRoute, [readJson, turn]],
    [changePasswordRoute, [readJson, turn]],
  ]);
  const authenticator = new Authenticator((token) => container.services.authentication.authenticate(token));
  const limits = trafficLimits({
    perAddress: settings.RATE_LIMIT_PER_ADDRESS,
    perUser: settings.RATE_LIMIT_PER_USER,
    authenticator,
  });
  return createApp({
    routes: createRoutes(container, access),
    before,
    capabilities: new Map([[createUploadRoute.path, tusCapabilities(settings.MAX_UPLOAD_BYTES)]]),
    authenticator,
    limits,
    adminConsole: createAdminConsole(container, { authenticator, limits, turn }),
    cors: corsPolicy(settings.CORS_ORIGINS ?? []),
    idempotency: container.services.idempotency,
    apiVersion: settings.API_VERSION,
    trustProxyHops: settings.TRUST_PROXY_HOPS,
    logger: container.logger,
  });
}

/** The pages of administrators. */
function createAdminConsole(
  { config, services, infrastructure }: Container,
  { authenticator, limits, turn }: { authenticator: Authenticator; limits: TrafficLimits; turn: RequestHandler },
): Router {
  const readOnly = config.settings.QUEUE_BOARD_READ_ONLY;
  return adminConsoleRouter({
    controller: new AdminConsoleController({
      console: services.adminConsole,
      authenticator,
      basePath: ADMIN_CONSOLE_PATH,
    }),
    limits,
    turn,
    board: createQueueBoard({
      queues: infrastructure.queue.queues,
      basePath: `${ADMIN_CONSOLE_PATH}/queues`,
      readOnly,
      links: [
        { text: 'API', url: '/api/docs' },
        { text: 'Log out', url: `${ADMIN_CONSOLE_PATH}/login` },
      ],
    }),
    boardIsReadOnly: readOnly,
  });
}

/** For all connections that outlive their request, of one process. */
export function createAccessWatch({ services, infrastructure, logger }: Container): AccessWatch {
  return new AccessWatch({
    stillCounts: (principal) => services.authentication.stillCounts(principal),
    bus: infrastructure.bus,
    logger,
  });
}

export function createHandshakeLimit({ config }: Container): RequestHandler {
  return handshakeLimit(config.settings.RATE_LIMIT_PER_ADDRESS);
}

export function createGateway(
  { services, infrastructure, config, logger }: Container,
  access: AccessWatch,
): WebSocketGateway {
  return new WebSocketGateway({
    authenticate: (token) => services.authentication.authenticate(token),
    watch: (principal, onEnd) => access.watch(principal, onEnd),
    origins: config.settings.CORS_ORIGINS ?? [],
    events: infrastructure.repositories.events,
    connections: infrastructure.repositories.liveConnections,
    bus: infrastructure.bus,
    maxPerUser: config.settings.EVENT_STREAMS_PER_USER,
    logger,
  });
}

function createEventStreams(
  { config, infrastructure, lifecycle, logger }: Container,
  access: AccessWatch,
): EventStreams {
  return new EventStreams({
    bus: infrastructure.bus,
    watch: (principal, onEnd) => access.watch(principal, onEnd),
    maxPerUser: config.settings.EVENT_STREAMS_PER_USER,
    shutdown: lifecycle.signal,
    logger,
  });
}
