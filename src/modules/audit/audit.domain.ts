import type { PageRequest } from '../../platform/page.js';

/** Area and verb, e.g. `credits.recharge`. */
export type AuditAction = `${string}.${string}`;

/** What a detail may hold: facts that explain the action, never a secret. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>;

export interface NewAuditEntry {
  /** Who did it; null for the platform itself and for people who are not logged in. */
  actorId: string | null;
  action: AuditAction;
  targetType: string;
  targetId: string;
  detail?: AuditDetail;
}

export interface AuditEntry {
  id: string;
  actor: { id: string; email: string } | null;
  action: string;
  targetType: string;
  targetId: string;
  detail: AuditDetail;
  requestId: string | null;
  /** The client's network address as the server saw it. */
  address: string | null;
  createdAt: Date;
}

export interface AuditFilter extends PageRequest {
  action?: string | undefined;
  actorId?: string | undefined;
  targetId?: string | undefined;
}
