import { createHash } from 'node:crypto';

/** What failures are counted for, and how they lock. */
export interface AttemptRule {
  /** So many failures in a row lock. */
  failures: number;
  /** The first lock lasts a minute, each further one twice as long, up to this. */
  longestLockSeconds: number;
  /** Counting begins anew when the first failure is this long ago. */
  windowSeconds: number;
}

export interface CountedSubject {
  kind: 'account-from-network' | 'account' | 'network';
  /** A hash: neither addresses nor accounts stand in the table. */
  subject: string;
  rule: AttemptRule;
}

const FIRST_LOCK_SECONDS = 60;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What stays uncounted for this long counts no more. */
export const LONGEST_WINDOW_SECONDS = DAY;

interface Attempt {
  email: string;
  network: string;
  /** The user has logged in from there before. */
  known: boolean;
}

/**
 * One guesser at one account is stopped early. Guessers from many networks are stopped later, for the account as a
 * whole; that lock does not hold where the account's user has logged in before, so that strangers cannot lock a user
 * out. Guessers of many accounts are stopped by network. Always in this order, so that two attempts never wait for each
 * other in a circle.
 *
 * @param limit failures in a row of one account from one network
 */
export function countedSubjects({ email, network, known }: Attempt, limit: number): CountedSubject[] {
  const subjects: CountedSubject[] = [
    {
      kind: 'account-from-network',
      subject: hash('account-from-network', network, email),
      rule: { failures: limit, longestLockSeconds: HOUR, windowSeconds: DAY },
    },
    {
      kind: 'account',
      subject: hash('account', email),
      rule: { failures: limit * 10, longestLockSeconds: 15 * MINUTE, windowSeconds: DAY },
    },
    {
      kind: 'network',
      subject: hash('network', network),
      rule: { failures: limit * 20, longestLockSeconds: 15 * MINUTE, windowSeconds: 15 * MINUTE },
    },
  ];
  return known ? subjects.filter(({ kind }) => kind !== 'account') : subjects;
}

/** How long the next attempt has to wait after so many failures; 0: not at all. */
export function lockSeconds(failures: number, rule: AttemptRule): number {
  const beyond = failures - rule.failures;
  return beyond < 0 ? 0 : Math.min(FIRST_LOCK_SECONDS * 2 ** Math.min(beyond, 20), rule.longestLockSeconds);
}

const hash = (...parts: string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
