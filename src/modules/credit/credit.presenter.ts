import type { CreditEntry } from './credit.domain.js';

/** For the account's owner, who learns that an administrator acted, but not which one. */
export function presentCreditEntry(entry: CreditEntry) {
  return {
    id: entry.id,
    kind: entry.kind,
    amount: entry.amount,
    balance_after: entry.balanceAfter,
    reason: entry.reason,
    reference: entry.reference,
    actor: actorOf(entry),
    created_at: entry.createdAt.toISOString(),
  };
}

function actorOf({ actorId, userId }: CreditEntry): 'self' | 'admin' | 'system' {
  if (actorId === null) return 'system';
  return actorId === userId ? 'self' : 'admin';
}
