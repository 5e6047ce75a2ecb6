import type { DatabaseScope } from '../../platform/database/scope.js';
import type { RecordedAnswer } from '../../platform/once.js';
import { IdempotencyKeyDao } from './idempotency.dao.js';
import type { AnsweredRequest, KeyedRequest } from './idempotency.domain.js';

/** Which keys have been answered, and how. */
export class IdempotencyRepository {
  private readonly keys: IdempotencyKeyDao;

  constructor(scope: DatabaseScope) {
    this.keys = new IdempotencyKeyDao(scope);
  }

  /** Keeps the key for this transaction; false while another request is being worked on with it. */
  hold({ userId, key }: KeyedRequest): Promise<boolean> {
    return this.keys.tryLock(userId, key);
  }

  async find(userId: string, key: string): Promise<AnsweredRequest | null> {
    const row = await this.keys.findByKey(userId, key);
    if (row === null) return null;
    const { fingerprint, status, headers, body } = row;
    return { fingerprint, answer: { status, headers, body } };
  }

  async record(request: KeyedRequest, answer: RecordedAnswer): Promise<void> {
    await this.keys.insert({ ...request, ...answer });
  }

  forgetOlderThan(seconds: number, limit: number): Promise<number> {
    return this.keys.deleteOlderThan(seconds, limit);
  }
}
