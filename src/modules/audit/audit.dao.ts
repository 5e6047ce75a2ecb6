import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { AuditDetail } from './audit.domain.js';
import type { AuditEntryModel } from './audit.model.js';

export interface ListedAuditRow {
  id: string;
  public_id: string;
  actor_id: string | null;
  actor_email: string | null;
  action: string;
  target_type: string;
  target_id: string;
  detail: AuditDetail;
  request_id: string | null;
  address: string | null;
  created_at: Date;
}

interface AuditPage {
  action: string | null;
  actorId: string | null;
  targetId: string | null;
  /** Only entries older than this one; null for the newest. */
  before: string | null;
  limit: number;
}

export class AuditEntryDao extends BaseDao<AuditEntryModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.auditEntries);
  }

  /** Newest first. */
  page({ action, actorId, targetId, before, limit }: AuditPage): Promise<ListedAuditRow[]> {
    const filters = [
      ['entry.action =', 'text', action],
      ['entry.actor_id =', 'uuid', actorId],
      ['entry.target_id =', 'text', targetId],
      ['entry.id <', 'bigint', before],
    ] as const;
    // Only what is asked for stands in the statement, so that each combination gets the plan that fits it.
    const given = filters.filter(([, , value]) => value !== null);
    const where = given.map(([condition, type], index) => `${condition} $${index + 2}::${type}`);
    return this.rows<ListedAuditRow>(
      `SELECT entry.id, entry.public_id, entry.actor_id, actor.email AS actor_email, entry.action, entry.target_type, entry.target_id,
              entry.detail, entry.request_id, entry.address, entry.created_at
       FROM audit_entries entry LEFT JOIN users actor ON actor.id = entry.actor_id
       ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
       ORDER BY entry.id DESC LIMIT $1`,
      [limit, ...given.map(([, , value]) => value)],
    );
  }
}
