import { docsRoute, healthRoute, keySetRoute, openapiRoute } from '../../contract/service.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { ServiceInfoController } from './service-info.controller.js';

export const serviceInfoRoutes = (controller: ServiceInfoController): Route[] => [
  route(healthRoute, controller.health),
  route(keySetRoute, controller.keySet),
  route(openapiRoute, controller.openapi),
  route(docsRoute, controller.docs),
];
