import { AppError, invalidField, notFound } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import type { Page } from '../../platform/page.js';
import type { AccountRepository } from '../account/account.repository.js';
import type { AuditRepository } from '../audit/audit.repository.js';
import { paidFor, type CreditEntry, type CreditFilter, type CreditReference } from './credit.domain.js';
import type { CreditRepository } from './credit.repository.js';

interface Repositories {
  accounts: AccountRepository;
  audit: AuditRepository;
  credits: CreditRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
}

export interface Refund {
  refunded: number;
  newBalance: number;
}

/** What administrators do with credits, each time with an entry in the audit log, and what owners see of it. */
export class CreditService {
  constructor(private readonly deps: Deps) {}

  list(userId: string, filter: CreditFilter): Promise<Page<CreditEntry>> {
    return this.deps.repositories.credits.list(userId, filter);
  }

  /**
   * @returns the new balance
   * @throws AppError not-found, balance-limit
   */
  recharge(actorId: string, { email, credits }: { email: string; credits: number }, once: Once<number>) {
    return this.deps.uow.run(
      async ({ repositories }) => {
        const userId = await findUser(repositories, email);
        const newBalance = await repositories.credits.grant({
          userId,
          kind: 'recharge',
          amount: credits,
          reference: null,
          reason: 'Recharge',
          actorId,
        });
        const detail = { credits, newBalance };
        await repositories.audit.record({
          actorId,
          action: 'credits.recharge',
          targetType: 'user',
          targetId: userId,
          detail,
        });
        return newBalance;
      },
      { once },
    );
  }

  /**
   * @returns the new balance
   * @throws AppError not-found, balance-limit, validation-failed when the balance would fall below zero
   */
  adjust(
    actorId: string,
    { email, amount, reason }: { email: string; amount: number; reason: string },
    once: Once<number>,
  ): Promise<number> {
    return this.deps.uow.run(
      async ({ repositories }) => {
        const userId = await findUser(repositories, email);
        const held = await repositories.credits.hold(userId);
        if (held + amount < 0) throw invalidField('amount', `The account holds ${held} credits.`);
        const newBalance = await repositories.credits.grant({
          userId,
          kind: 'adjustment',
          amount,
          reference: null,
          reason,
          actorId,
        });
        const detail = { amount, reason, newBalance };
        await repositories.audit.record({
          actorId,
          action: 'credits.adjust',
          targetType: 'user',
          targetId: userId,
          detail,
        });
        return newBalance;
      },
      { once },
    );
  }

  /**
   * Gives back the price of one upload or one completed job.
   * @throws AppError not-found, nothing-to-refund, already-refunded, balance-limit
   */
  refund(
    actorId: string,
    { reference, reason }: { reference: CreditReference; reason: string },
    once: Once<Refund>,
  ): Promise<Refund> {
    return this.deps.uow.run(
      async ({ repositories }) => {
        const [first] = await repositories.credits.about(reference);
        if (first === undefined)
          throw new AppError('nothing-to-refund', `Nothing was paid for this ${reference.type}.`);
        // Looked at again under the lock of the account: two refunds of one thing meet here.
        await repositories.credits.hold(first.userId);
        const entries = await repositories.credits.about(reference);
        if (entries.some(({ kind }) => kind === 'refund')) {
          throw new AppError('already-refunded', `This ${reference.type} has been paid back already.`);
        }
        const paid = paidFor(entries);
        if (paid === null) throw new AppError('nothing-to-refund', `Nothing was paid for this ${reference.type}.`);
        const { userId, amount: refunded } = paid;
        const newBalance = await repositories.credits.grant({
          userId,
          kind: 'refund',
          amount: refunded,
          reference,
          reason,
          actorId,
        });
        await repositories.audit.record({
          actorId,
          action: 'credits.refund',
          targetType: reference.type,
          targetId: reference.id,
          detail: { userId, refunded, reason, newBalance },
        });
        return { refunded, newBalance };
      },
      { once },
    );
  }
}

async function findUser({ accounts }: Repositories, email: string): Promise<string> {
  const user = await accounts.findByEmail(email);
  if (user === null) throw notFound('user');
  return user.id;
}
