import type { AuditEntry } from './audit.domain.js';

export function presentAuditEntry(entry: AuditEntry) {
  return {
    id: entry.id,
    actor: entry.actor,
    action: entry.action,
    target: { type: entry.targetType, id: entry.targetId },
    detail: entry.detail,
    request_id: entry.requestId,
    address: entry.address,
    created_at: entry.createdAt.toISOString(),
  };
}
