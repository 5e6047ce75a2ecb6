import { AppError } from '../../platform/app-error.js';
import { currentIdempotencyKey } from '../../platform/context.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page } from '../../platform/page.js';
import { UserDao } from '../account/account.dao.js';
import { CreditEntryDao, type CreditEntryRow } from './credit.dao.js';
import {
  insufficientCredits,
  MAX_BALANCE,
  type CreditEntry,
  type CreditFilter,
  type CreditReference,
  type NewCreditEntry,
} from './credit.domain.js';

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
   * @throws AppError insufficient-credits when the balance would fall below zero, balance-limit when it could not hold it
   */
  async book(entry: NewCreditEntry): Promise<number> {
    const balance = await this.users.addCredit(entry.userId, entry.amount);
    if (balance === null) {
      const held = (await this.users.findCredit(entry.userId)) ?? 0;
      throw entry.amount > 0 ? beyondLimit(held) : insufficientCredits(-entry.amount, held);
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

  /**
   * Books credits that come from outside, and leaves room for everything that running jobs may still give back.
   * @throws AppError balance-limit
   */
  async grant(entry: NewCreditEntry): Promise<number> {
    const held = await this.users.lockCredit(entry.userId);
    if (held + (await this.entries.heldByJobs(entry.userId)) + entry.amount > MAX_BALANCE) throw beyondLimit(held);
    return this.book(entry);
  }

  /** The balance, which stays so until the transaction ends. */
  hold(userId: string): Promise<number> {
    return this.users.lockCredit(userId);
  }

  /** In the order in which they were booked. */
  async about(reference: CreditReference): Promise<CreditEntry[]> {
    return (await this.entries.listByReference(reference)).map(toEntry);
  }

  /** Newest first. */
  async list(userId: string, { kind, limit, cursor }: CreditFilter): Promise<Page<CreditEntry>> {
    const rows = await this.entries.page(userId, {
      kind: kind ?? null,
      before: cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0],
      limit: limit + 1,
    });
    return cutPage(rows, limit, ({ id }) => [id], toEntry);
  }
}

const beyondLimit = (held: number): AppError =>
  new AppError('balance-limit', `An account holds at most ${MAX_BALANCE} credits; this one has ${held}.`);

function toEntry(row: CreditEntryRow): CreditEntry {
  const { referenceType: type, referenceId } = row;
  return {
    id: row.publicId,
    userId: row.userId,
    kind: row.kind,
    amount: row.amount,
    balanceAfter: row.balanceAfter,
    reference: type === null || referenceId === null ? null : { type, id: referenceId },
    reason: row.reason,
    actorId: row.actorId,
    createdAt: row.createdAt,
  };
}
