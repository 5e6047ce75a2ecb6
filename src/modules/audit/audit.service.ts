import type { Page } from '../../platform/page.js';
import type { AuditEntry, AuditFilter } from './audit.domain.js';
import type { AuditRepository } from './audit.repository.js';

interface Deps {
  repositories: { audit: AuditRepository };
}

/** Reads only: entries are written by the services whose deeds they record. */
export class AuditService {
  constructor(private readonly deps: Deps) {}

  list(filter: AuditFilter): Promise<Page<AuditEntry>> {
    return this.deps.repositories.audit.list(filter);
  }
}
