import { currentOrigin } from '../../platform/context.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page } from '../../platform/page.js';
import { AuditEntryDao, type ListedAuditRow } from './audit.dao.js';
import type { AuditEntry, AuditFilter, NewAuditEntry } from './audit.domain.js';

/** What was done with special powers, and by whom. Written once, never changed. */
export class AuditRepository {
  private readonly entries: AuditEntryDao;

  constructor(scope: DatabaseScope) {
    this.entries = new AuditEntryDao(scope);
  }

  /** In the caller's transaction: what is rolled back has not happened. Request id and address are those of the request. */
  async record({ actorId, action, targetType, targetId, detail = {} }: NewAuditEntry): Promise<void> {
    await this.entries.insert({ actorId, action, targetType, targetId, detail, ...currentOrigin() });
  }

  /** Newest first. */
  async list({ action, actorId, targetId, limit, cursor }: AuditFilter): Promise<Page<AuditEntry>> {
    const rows = await this.entries.page({
      action: action ?? null,
      actorId: actorId ?? null,
      targetId: targetId ?? null,
      before: cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0],
      limit: limit + 1,
    });
    return cutPage(rows, limit, ({ id }) => [id], toEntry);
  }
}

function toEntry(row: ListedAuditRow): AuditEntry {
  return {
    id: row.public_id,
    actor: row.actor_id === null || row.actor_email === null ? null : { id: row.actor_id, email: row.actor_email },
    action: row.action,
    targetType: row.target_type,
    targetId: row.target_id,
    detail: row.detail,
    requestId: row.request_id,
    address: row.address,
    createdAt: row.created_at,
  };
}
