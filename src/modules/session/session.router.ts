import { loginRoute } from '../../contract/account.contract.js';
import {
  changePasswordRoute,
  endSessionRoute,
  listSessionsRoute,
  logoutRoute,
  refreshRoute,
} from '../../contract/session.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { SessionController } from './session.controller.js';

export const sessionRoutes = (controller: SessionController): Route[] => [
  route(loginRoute, controller.login),
  route(refreshRoute, controller.refresh),
  route(logoutRoute, controller.logout),
  route(changePasswordRoute, controller.changePassword),
  route(listSessionsRoute, controller.list),
  route(endSessionRoute, controller.end),
];
