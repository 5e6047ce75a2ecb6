import { AppError } from '../../platform/app-error.js';

export const CREDIT_ENTRY_KINDS = [
  'signup',
  'recharge',
  'upload',
  'inference-hold',
  'inference-capture',
  'inference-release',
  'refund',
  'adjustment',
] as const;
export type CreditEntryKind = (typeof CREDIT_ENTRY_KINDS)[number];

/** What an entry pays for. */
export interface CreditReference {
  type: 'video' | 'job';
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

/** Credits for a number of frames, rounded up; a rate of 0 frames per credit means free. */
export function priceOfFrames(frames: number, framesPerCredit: number): number {
  return framesPerCredit === 0 ? 0 : Math.ceil(frames / framesPerCredit);
}

export function insufficientCredits(required: number, balance: number): AppError {
  return new AppError('insufficient-credits', `This costs ${required} credits; the account holds ${balance}.`, {
    extensions: { required, balance },
  });
}
