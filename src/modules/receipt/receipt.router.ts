import { jobReceiptRoute } from '../../contract/receipt.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { ReceiptController } from './receipt.controller.js';

export const receiptRoutes = (controller: ReceiptController): Route[] => [route(jobReceiptRoute, controller.get)];
