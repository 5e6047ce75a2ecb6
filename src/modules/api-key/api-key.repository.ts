import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page, type PageRequest } from '../../platform/page.js';
import { UserDao } from '../account/account.dao.js';
import { ApiKeyDao, type ApiKeyRow } from './api-key.dao.js';
import { hashOfKey, type ApiKey, type KeySecret, type NewApiKey } from './api-key.domain.js';

const MOST_KEYS = 50;

/** A user's keys; somebody else's do not exist here. */
export class ApiKeyRepository {
  private readonly keys: ApiKeyDao;
  private readonly users: UserDao;

  constructor(scope: DatabaseScope) {
    this.keys = new ApiKeyDao(scope);
    this.users = new UserDao(scope);
  }

  /**
   * Only inside a transaction: the user's row is locked, so that two at once do not both find room for one more.
   * @throws AppError limit-reached
   */
  async create(userId: string, { name, scopes, expiresAt }: NewApiKey, { prefix, hash }: KeySecret): Promise<ApiKey> {
    await this.users.lock(userId);
    if ((await this.keys.count(userId)) >= MOST_KEYS) {
      throw new AppError('limit-reached', `An account has at most ${MOST_KEYS} API keys; delete one first.`);
    }
    const id = randomUUID();
    return toApiKey(
      await this.keys.insert({ id, userId, name, prefix, secretHash: hash, scopes: [...scopes], expiresAt }),
    );
  }

  /** Oldest first, also those that have expired. */
  async list(userId: string, { limit, cursor }: PageRequest): Promise<Page<ApiKey>> {
    const after = cursor === undefined ? '0' : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.keys.page(userId, after, limit + 1);
    return cutPage(rows, limit, ({ position }) => [position], toApiKey);
  }

  /** Open connections of the key end with the transaction. @throws AppError not-found */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.keys.delete(userId, id))) throw notFound('API key');
    await this.users.announceAccessChange(userId);
  }

  /** The active user of a key that has not expired; `stale` when its last use should be noted again. */
  async findUser(by: { text: string } | { id: string }) {
    const row = 'text' in by ? await this.keys.findUserByHash(hashOfKey(by.text)) : await this.keys.findUserById(by.id);
    if (row === null) return null;
    const { id, email, role, scopes, stale } = row;
    return { id, userId: row.user_id, email, role, scopes, expiresAt: row.expires_at, stale };
  }

  touch(id: string): Promise<void> {
    return this.keys.touch(id);
  }
}

function toApiKey({ id, userId, name, prefix, scopes, createdAt, expiresAt, lastUsedAt }: ApiKeyRow): ApiKey {
  return { id, userId, name, prefix, scopes, createdAt, expiresAt, lastUsedAt };
}
