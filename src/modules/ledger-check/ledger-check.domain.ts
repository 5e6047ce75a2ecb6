import type { JobStatus } from '../../contract/inference.contract.js';
import type { CreditEntryKind } from '../../contract/credit.contract.js';

export interface CheckedUser {
  id: string;
  credit: number;
}

export interface CheckedEntry {
  id: string;
  userId: string;
  kind: CreditEntryKind;
  amount: number;
  balanceAfter: number;
  referenceType: 'video' | 'job' | null;
  referenceId: string | null;
  /** Whether what it refers to is there; true for entries that refer to nothing. */
  referenceExists: boolean;
}

/** An entry about one job or video. */
export interface TrailEntry {
  id: string;
  userId: string;
  kind: CreditEntryKind;
  amount: number;
}

export interface CheckedJob {
  id: string;
  userId: string;
  status: JobStatus;
  cost: number;
  hasResult: boolean;
  entries: readonly TrailEntry[];
}

export interface CheckedVideo {
  id: string;
  /** The owner of its dataset. */
  userId: string;
  cost: number;
  entries: readonly TrailEntry[];
}

/** What the ledger should say and does not. */
export interface Difference {
  check: 'chain' | 'amount' | 'balance' | 'reference' | 'job' | 'video';
  userId: string;
  /** The entry that is wrong; null where one is missing or something else than an entry is wrong. */
  entryId: string | null;
  /** What it is about: a job or a video. */
  subject: { type: 'job' | 'video'; id: string } | null;
  expected: string;
  found: string;
}

/** What each kind refers to. */
const REFERENCE_OF: Record<CreditEntryKind, readonly CheckedEntry['referenceType'][]> = {
  signup: [null],
  recharge: [null],
  adjustment: [null],
  upload: ['video'],
  'inference-hold': ['job'],
  'inference-capture': ['job'],
  'inference-release': ['job'],
  refund: ['video', 'job'],
};

/** @param before the entry of the account before this one; null for its first */
export function checkEntry(entry: CheckedEntry, before: CheckedEntry | null): Difference | null {
  const { id: entryId, userId, referenceType, referenceId } = entry;
  const held = before?.balanceAfter ?? 0;
  const expected = held + entry.amount;
  if (entry.balanceAfter !== expected || expected < 0) {
    return {
      check: 'chain',
      userId,
      entryId,
      subject: null,
      expected: `a balance of ${expected} after ${entry.kind} of ${entry.amount} on ${held}, not below 0`,
      found: `${entry.balanceAfter}`,
    };
  }
  const wanted = wantedGift(entry, before);
  if (wanted !== null) {
    return { check: 'amount', userId, entryId, subject: null, expected: wanted, found: `${entry.amount}` };
  }
  const allowed = REFERENCE_OF[entry.kind];
  const subject = referenceType === null || referenceId === null ? null : { type: referenceType, id: referenceId };
  if (allowed.includes(referenceType) && entry.referenceExists) return null;
  return {
    check: 'reference',
    userId,
    entryId,
    subject,
    expected: `${entry.kind} to refer to ${allowed.map((type) => type ?? 'nothing').join(' or ')} that exists`,
    found:
      subject === null
        ? 'nothing'
        : `${subject.type} ${subject.id}${entry.referenceExists ? '' : ', which is missing'}`,
  };
}

/** What is wrong with credits that come from outside; no job and no video tells how many they should be. */
function wantedGift({ kind, amount }: CheckedEntry, before: CheckedEntry | null): string | null {
  if (kind === 'signup' && before !== null) return 'signup as the first entry of the account, or none';
  if ((kind === 'signup' || kind === 'recharge') && amount <= 0) return `a ${kind} that adds credits`;
  return null;
}

export function checkBalance({ id, credit }: CheckedUser, booked: number): Difference | null {
  if (credit === booked) return null;
  return {
    check: 'balance',
    userId: id,
    entryId: null,
    subject: null,
    expected: `a balance of ${booked}, the sum of the account's entries`,
    found: `${credit}`,
  };
}

/** The entries that a job has to have, by its status: one of each kind, a refund of a captured one beside them. */
export function checkJob(job: CheckedJob): Difference | null {
  const subject = { type: 'job', id: job.id } as const;
  if (job.hasResult !== (job.status === 'COMPLETED')) {
    return {
      check: 'job',
      userId: job.userId,
      entryId: null,
      subject,
      expected: job.status === 'COMPLETED' ? 'a result of a COMPLETED job' : `no result of a job that is ${job.status}`,
      found: job.hasResult ? 'a result' : 'none',
    };
  }
  const due: Record<CheckedJob['status'], readonly [CreditEntryKind, number][]> = {
    PENDING: [],
    RUNNING: [],
    COMPLETED: [['inference-capture', 0]],
    FAILED: [['inference-release', job.cost]],
    ABORTED: [['inference-release', job.cost]],
  };
  const paid = [['inference-hold', -job.cost] as const, ...due[job.status]];
  const refundable = job.status === 'COMPLETED';
  return checkTrail({ check: 'job', subject, state: job.status, ...job }, paid, refundable);
}

export function checkVideo(video: CheckedVideo): Difference | null {
  const subject = { type: 'video', id: video.id } as const;
  return checkTrail({ check: 'video', subject, state: 'uploaded', ...video }, [['upload', -video.cost]], true);
}

interface Trail {
  check: 'job' | 'video';
  subject: { type: 'job' | 'video'; id: string };
  state: string;
  userId: string;
  cost: number;
  entries: readonly TrailEntry[];
}

function checkTrail(
  { check, subject, state, userId, cost, entries }: Trail,
  paid: readonly (readonly [CreditEntryKind, number])[],
  refundable: boolean,
): Difference | null {
  const differ = (entryId: string | null, expected: string, found: string): Difference => ({
    check,
    userId,
    entryId,
    subject,
    expected,
    found,
  });
  const due = new Map<CreditEntryKind, number>(cost === 0 ? [] : paid);
  const allowed = new Map(due);
  if (refundable && cost > 0) allowed.set('refund', cost);
  const seen = new Set<CreditEntryKind>();
  for (const entry of entries) {
    const found = `${entry.kind} of ${entry.amount} on the account ${entry.userId}`;
    const amount = allowed.get(entry.kind);
    if (amount === undefined) return differ(entry.id, `no ${entry.kind} (${state}, cost ${cost})`, found);
    if (seen.has(entry.kind)) return differ(entry.id, `one ${entry.kind}`, `a second ${found}`);
    if (entry.amount !== amount || entry.userId !== userId) {
      return differ(entry.id, `${entry.kind} of ${amount} on the account ${userId}`, found);
    }
    seen.add(entry.kind);
  }
  for (const [kind, amount] of due) {
    if (!seen.has(kind)) return differ(null, `${kind} of ${amount} (${state}, cost ${cost})`, 'none');
  }
  return null;
}
