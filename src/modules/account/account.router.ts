import { listUsersRoute, updateUserRoute } from '../../contract/account-admin.contract.js';
import { creditsRoute, profileRoute, registerRoute } from '../../contract/account.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { AccountAdminController } from './account-admin.controller.js';
import type { AccountController } from './account.controller.js';

export const accountRoutes = (controller: AccountController): Route[] => [
  route(registerRoute, controller.register),
  route(profileRoute, controller.profile),
  route(creditsRoute, controller.credits),
];

export const accountAdminRoutes = (controller: AccountAdminController): Route[] => [
  route(listUsersRoute, controller.list),
  route(updateUserRoute, controller.update),
];
