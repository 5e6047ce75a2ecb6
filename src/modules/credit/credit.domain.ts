import type { CREDIT_REFERENCE_TYPES, CreditEntryKind } from '../../contract/credit.contract.js';
import { AppError } from '../../platform/app-error.js';
import type { PageRequest } from '../../platform/page.js';

export type { CreditEntryKind };

/** What an entry pays for. */
export interface CreditReference {
  type: (typeof CREDIT_REFERENCE_TYPES)[number];
  id: string;
}

export interface NewCreditEntry {
  userId: string;
  kind: CreditEntryKind;
  /** Whole credits: positive into the account, negative out of it, 0 for a capture that only closes a hold. */
  amount: number;
  reference: CreditReference | null;
  /** For people. */
  reason: string;
  /** Who caused it; null for the platform itself. */
  actorId: string | null;
}

export interface CreditEntry extends NewCreditEntry {
  id: string;
  balanceAfter: number;
  createdAt: Date;
}

export interface CreditFilter extends PageRequest {
  kind?: CreditEntryKind | undefined;
}

/** What the column of a balance can hold. */
export const MAX_BALANCE = 2 ** 31 - 1;

/** Credits for a number of frames, rounded up; a rate of 0 frames per credit means free. */
export function priceOfFrames(frames: number, framesPerCredit: number): number {
  return framesPerCredit === 0 ? 0 : Math.ceil(frames / framesPerCredit);
}

/**
 * What was paid in the end, from all entries about one thing: an upload's price, or a hold that was captured. Null when
 * nothing was, or when it has been given back.
 */
export function paidFor(entries: readonly CreditEntry[]): { userId: string; amount: number } | null {
  const kinds = new Set(entries.map(({ kind }) => kind));
  const payment = entries.find(
    ({ kind }) => kind === 'upload' || (kind === 'inference-hold' && kinds.has('inference-capture')),
  );
  return payment === undefined || payment.amount === 0 ? null : { userId: payment.userId, amount: -payment.amount };
}

export function insufficientCredits(required: number, balance: number): AppError {
  return new AppError('insufficient-credits', `This costs ${required} credits; the account holds ${balance}.`, {
    extensions: { required, balance },
  });
}
