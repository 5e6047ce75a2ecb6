import { expect } from 'vitest';
import type { App } from './app.js';

interface Account {
  email: string;
  credit: number;
  booked: number;
}

/** The invariant of the money: every balance is the sum of its ledger and not below zero. */
export async function expectLedgersToBalance(app: App): Promise<void> {
  const accounts = await app.sql<Account>(
    `SELECT email, credit, (SELECT coalesce(sum(amount), 0)::int FROM credit_entries WHERE user_id = users.id) AS booked
     FROM users`,
  );
  expect(accounts.filter(({ credit, booked }) => credit !== booked || credit < 0)).toEqual([]);
}
