import type { Account } from './account.domain.js';

export function presentAccount({ id, email, role, credit, createdAt }: Account) {
  return { id, email, role, credit, created_at: createdAt.toISOString() };
}

/** For administrators. */
export function presentManagedAccount(account: Account) {
  return { ...presentAccount(account), disabled_at: account.disabledAt?.toISOString() ?? null };
}
