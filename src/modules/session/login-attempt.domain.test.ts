import { describe, expect, it } from 'vitest';
import { countedSubjects, lockSeconds } from './login-attempt.domain.js';

const attempt = { email: 'user@example.com', network: '192.0.2.1', known: false };
const rule = { failures: 5, longestLockSeconds: 3600, windowSeconds: 86_400 };

describe('counted login attempts', () => {
  it.each([
    [4, 0],
    [5, 60],
    [6, 120],
    [10, 1920],
    [11, 3600],
    [1_000_000, 3600],
  ])('lock after %d failures for %d seconds', (failures, seconds) => {
    expect(lockSeconds(failures, rule)).toBe(seconds);
  });

  it('count for the account from there, the account, and the network, by names that nobody can read', () => {
    const subjects = countedSubjects(attempt, 5);
    expect(subjects.map(({ kind, rule: { failures } }) => [kind, failures])).toEqual([
      ['account-from-network', 5],
      ['account', 50],
      ['network', 100],
    ]);
    for (const { subject } of subjects) expect(subject).toMatch(/^[\w-]{43}$/);
    const other = countedSubjects({ ...attempt, network: '192.0.2.2' }, 5).map(({ subject }) => subject);
    expect(subjects.map(({ subject }, index) => subject === other[index])).toEqual([false, true, false]);
  });

  it('leave the account as a whole out where its user has been before', () => {
    const kinds = countedSubjects({ ...attempt, known: true }, 5).map(({ kind }) => kind);
    expect(kinds).toEqual(['account-from-network', 'network']);
  });
});
