import { adjustRoute, listCreditEntriesRoute, rechargeRoute, refundRoute } from '../../contract/credit.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { CreditController } from './credit.controller.js';

export const creditRoutes = (controller: CreditController): Route[] => [
  route(listCreditEntriesRoute, controller.list),
  route(rechargeRoute, controller.recharge),
  route(adjustRoute, controller.adjust),
  route(refundRoute, controller.refund),
];
