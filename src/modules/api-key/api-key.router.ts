import { createApiKeyRoute, deleteApiKeyRoute, listApiKeysRoute } from '../../contract/api-key.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { ApiKeyController } from './api-key.controller.js';

export const apiKeyRoutes = (controller: ApiKeyController): Route[] => [
  route(createApiKeyRoute, controller.create),
  route(listApiKeysRoute, controller.list),
  route(deleteApiKeyRoute, controller.delete),
];
