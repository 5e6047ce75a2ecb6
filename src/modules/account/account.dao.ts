import { ACCESS_CHANNEL } from '../../platform/events/event-bus.port.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { MAX_BALANCE } from '../credit/credit.domain.js';
import type { UserModel } from './account.model.js';

export class UserDao extends BaseDao<UserModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.users);
  }

  findById(id: string) {
    return this.findOne({ id });
  }

  findByEmail(email: string) {
    return this.findOne({ email });
  }

  async anyAdmin(): Promise<boolean> {
    return (await this.findOne({ role: 'admin' })) !== null;
  }

  /** Until the transaction ends, others that lock the row wait. */
  async lock(id: string): Promise<void> {
    await this.rows('SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE', [id]);
  }

  /** Shares the row with others like this one; a change of it waits until the transaction ends. */
  async lockCredentials(id: string, passwordHash: string): Promise<boolean> {
    const found = await this.rows(
      'SELECT 1 FROM users WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL FOR SHARE',
      [id, passwordHash],
    );
    return found.length === 1;
  }

  async setPassword(id: string, expectedHash: string, nextHash: string): Promise<boolean> {
    const changed = await this.rows(
      'UPDATE users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2 RETURNING 1',
      [id, expectedHash, nextHash],
    );
    return changed.length === 1;
  }

  /** Has the user's open connections checked again, at the commit of this transaction. */
  async announceAccessChange(id: string): Promise<void> {
    await this.rows('SELECT pg_notify($1, $2)', [ACCESS_CHANNEL, id]);
  }

  async findCredit(id: string): Promise<number | null> {
    const [row] = await this.rows<{ credit: number }>('SELECT credit FROM users WHERE id = $1', [id]);
    return row?.credit ?? null;
  }

  /** The balance, locked until the transaction ends. */
  async lockCredit(id: string): Promise<number> {
    const [row] = await this.rows<{ credit: number }>('SELECT credit FROM users WHERE id = $1 FOR NO KEY UPDATE', [id]);
    return row.credit;
  }

  /** Adds (or takes) credits unless the balance would fall below zero or out of its column; the new balance, or null when it would. */
  async addCredit(id: string, amount: number): Promise<number | null> {
    const [row] = await this.rows<{ credit: number }>(
      `UPDATE users SET credit = credit + $2::integer, updated_at = now()
       WHERE id = $1 AND credit::bigint + $2 BETWEEN 0 AND ${MAX_BALANCE} RETURNING credit`,
      [id, amount],
    );
    return row?.credit ?? null;
  }

  /** Takes the next `count` positions of the user's event log; returns the last of them, or null without such a user. */
  async advanceEventSeq(id: string, count: number): Promise<number | null> {
    const [row] = await this.rows<{ event_seq: string }>(
      'UPDATE users SET event_seq = event_seq + $2 WHERE id = $1 RETURNING event_seq',
      [id, count],
    );
    return row === undefined ? null : Number(row.event_seq);
  }
}
