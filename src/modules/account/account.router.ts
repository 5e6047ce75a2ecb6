import { creditsRoute, registerRoute } from '../../contract/account.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { AccountController } from './account.controller.js';

export const accountRoutes = (controller: AccountController): Route[] => [
  route(registerRoute, controller.register),
  route(creditsRoute, controller.credits),
];
