import { getUsageRoute, listUsageRoute } from '../../contract/usage.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { UsageController } from './usage.controller.js';

export const usageRoutes = (controller: UsageController): Route[] => [
  route(getUsageRoute, controller.own),
  route(listUsageRoute, controller.list),
];
