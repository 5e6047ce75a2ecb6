import { currentIdempotencyKey } from '../../platform/context.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { UserDao } from '../account/account.dao.js';
import { CreditEntryDao } from './credit.dao.js';
import { insufficientCredits, type NewCreditEntry } from './credit.domain.js';

/** The only way credits move: the balance and its ledger entry, together, in the caller's transaction. */
export class CreditRepository {
  private readonly users: UserDao;
  private readonly entries: CreditEntryDao;

  constructor(scope: DatabaseScope) {
    this.users = new UserDao(scope);
    this.entries = new CreditEntryDao(scope);
  }

  /**
   * For a price of several entries: refuses with the whole of it, before the first is booked. `book` still decides.
   * @throws AppError insufficient-credits
   */
  async requireBalance(userId: string, amount: number): Promise<void> {
    const held = (await this.users.findCredit(userId)) ?? 0;
    if (held < amount) throw insufficientCredits(amount, held);
  }

  /**
   * Books one entry and returns the new balance.
   * @throws AppError insufficient-credits when the balance would fall below zero
   */
  async book(entry: NewCreditEntry): Promise<number> {
    const balance = await this.users.addCredit(entry.userId, entry.amount);
    if (balance === null) {
      const held = (await this.users.findCredit(entry.userId)) ?? 0;
      throw insufficientCredits(-entry.amount, held);
    }
    await this.entries.insert({
      userId: entry.userId,
      kind: entry.kind,
      amount: entry.amount,
      balanceAfter: balance,
      referenceType: entry.reference?.type ?? null,
      referenceId: entry.reference?.id ?? null,
      reason: entry.reason,
      actorId: entry.actorId,
      idempotencyKey: currentIdempotencyKey(),
    });
    return balance;
  }
}
