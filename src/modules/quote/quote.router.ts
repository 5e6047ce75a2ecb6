import { quoteRoute } from '../../contract/credit.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { QuoteController } from './quote.controller.js';

export const quoteRoutes = (controller: QuoteController): Route[] => [route(quoteRoute, controller.quote)];
