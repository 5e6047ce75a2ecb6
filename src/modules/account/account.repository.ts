import { randomUUID } from 'node:crypto';
import type { Role } from '../../contract/account.contract.js';
import { AppError } from '../../platform/app-error.js';
import { violatesUnique } from '../../platform/database/database-errors.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page } from '../../platform/page.js';
import { UserDao, type UserRow } from './account.dao.js';
import type { Account, AccountChange, AccountFilter, User } from './account.domain.js';

export class AccountRepository {
  private readonly users: UserDao;

  constructor(scope: DatabaseScope) {
    this.users = new UserDao(scope);
  }

  /** @throws AppError email-taken */
  async create(account: { email: string; passwordHash: string; role: Role }): Promise<User> {
    try {
      return toUser(await this.users.insert({ id: randomUUID(), ...account }));
    } catch (error) {
      if (!violatesUnique(error, 'users_email_key')) throw error;
      throw new AppError('email-taken', 'An account with this email address exists already.', { cause: error });
    }
  }

  async find(id: string): Promise<Account | null> {
    const row = await this.users.findById(id);
    return row === null ? null : toAccount(row);
  }

  /** Oldest first. */
  async list({ emailPrefix, role, disabled, limit, cursor }: AccountFilter): Promise<Page<Account>> {
    const rows = await this.users.page({
      emailPrefix: emailPrefix ?? null,
      role: role ?? null,
      disabled: disabled ?? null,
      after: cursor === undefined ? '0' : decodeCursor(cursor, [NUMBER_KEY])[0],
      limit: limit + 1,
    });
    return cutPage(rows, limit, ({ position }) => [position], toAccount);
  }

  /** Keeps the account as it is until the transaction ends. */
  async hold(id: string): Promise<Account | null> {
    const row = await this.users.findLocked(id);
    return row === null ? null : toAccount(row);
  }

  /** Keeps all administrators that can act as they are until the transaction ends. @returns their ids */
  holdActiveAdmins(): Promise<string[]> {
    return this.users.lockActiveAdmins();
  }

  /** Of an account that is held. */
  async change(id: string, { role, disabled }: AccountChange): Promise<Account> {
    return toAccount(await this.users.change(id, role ?? null, disabled ?? null));
  }

  async findByEmail(email: string): Promise<User | null> {
    const row = await this.users.findByEmail(email);
    return row === null ? null : toUser(row);
  }

  async findCredentials(email: string): Promise<{ user: User; passwordHash: string; disabled: boolean } | null> {
    const row = await this.users.findByEmail(email);
    if (row === null) return null;
    return { user: toUser(row), passwordHash: row.passwordHash, disabled: row.disabledAt !== null };
  }

  /** Keeps password and account as they are until the transaction ends. @returns false when they are no longer so */
  holdCredentials(id: string, passwordHash: string): Promise<boolean> {
    return this.users.lockCredentials(id, passwordHash);
  }

  /** @returns false when the password is no longer the one that was expected */
  replacePassword(id: string, expectedHash: string, nextHash: string): Promise<boolean> {
    return this.users.setPassword(id, expectedHash, nextHash);
  }

  hasAdmin(): Promise<boolean> {
    return this.users.anyAdmin();
  }
}

function toAccount(row: UserRow): Account {
  return { ...toUser(row), createdAt: row.createdAt, disabledAt: row.disabledAt };
}

function toUser(row: User): User {
  return { id: row.id, email: row.email, role: row.role, credit: row.credit };
}
