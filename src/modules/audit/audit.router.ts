import { listAuditRoute } from '../../contract/audit.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { AuditController } from './audit.controller.js';

export const auditRoutes = (controller: AuditController): Route[] => [route(listAuditRoute, controller.list)];
