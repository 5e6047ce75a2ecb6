import { ACCESS_CHANNEL } from '../../platform/events/event-bus.port.js';
import { Op, Transaction, type Attributes } from 'sequelize';
import type { Role } from '../../contract/account.contract.js';
import { BaseDao, plain } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { MAX_BALANCE } from '../credit/credit.domain.js';
import type { UserModel } from './account.model.js';

export type UserRow = Attributes<UserModel>;

interface UserPage {
  emailPrefix: string | null;
  role: Role | null;
  disabled: boolean | null;
  after: string;
  limit: number;
}

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

  /** Whole row, kept as it is until the transaction ends. */
  async findLocked(id: string): Promise<UserRow | null> {
    const row = await this.model.findOne({ where: { id }, lock: Transaction.LOCK.NO_KEY_UPDATE, ...this.inScope });
    return row === null ? null : plain(row);
  }

  /** Ids, in an order that all who lock keep to. */
  async lockActiveAdmins(): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR NO KEY UPDATE`,
      [],
    );
    return rows.map(({ id }) => id);
  }

  /** What is null stays as it is. A repeated disabling keeps its first time. */
  async change(id: string, role: Role | null, disabled: boolean | null): Promise<UserRow> {
    await this.rows(
      `UPDATE users SET role = coalesce($2, role), updated_at = now(),
              disabled_at = CASE WHEN $3::boolean IS NULL THEN disabled_at
                                 WHEN $3::boolean THEN coalesce(disabled_at, now()) END
       WHERE id = $1`,
      [id, role, disabled],
    );
    const row = await this.findById(id);
    if (row === null) throw new Error(`The user ${id} vanished while it was locked`);
    return row;
  }

  /** Oldest first. Only what is asked for stands in the statement, so that each combination gets the plan that fits. */
  async page(filter: UserPage): Promise<UserRow[]> {
    const rows = await this.model.findAll({
      where: {
        position: { [Op.gt]: filter.after },
        ...(filter.emailPrefix === null ? {} : { email: { [Op.startsWith]: escapeLike(filter.emailPrefix) } }),
        ...(filter.role === null ? {} : { role: filter.role }),
        ...(filter.disabled === null ? {} : { disabledAt: { [filter.disabled ? Op.not : Op.is]: null } }),
      },
      order: [['position', 'ASC']],
      limit: filter.limit,
      ...this.inScope,
    });
    return rows.map((row) => plain(row));
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

/** The characters that mean something in a pattern stand for themselves. */
const escapeLike = (text: string): string => text.replaceAll(/[\\%_]/g, '\\$&');
