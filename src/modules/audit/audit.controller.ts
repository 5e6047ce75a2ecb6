import type { listAuditRoute } from '../../contract/audit.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentAuditEntry } from './audit.presenter.js';
import type { AuditService } from './audit.service.js';

export class AuditController {
  constructor(private readonly audit: AuditService) {}

  readonly list: RouteHandler<typeof listAuditRoute> = async ({ query }) => {
    const { action, actor, target, limit, cursor } = query;
    const page = await this.audit.list({ action, actorId: actor, targetId: target, limit, cursor });
    return { body: { entries: page.items.map(presentAuditEntry), nextCursor: page.nextCursor } };
  };
}
