import { AppError, invalidField } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Page, PageRequest } from '../../platform/page.js';
import type { Principal } from '../account/account.domain.js';
import { newKeySecret, type ApiKey, type NewApiKey } from './api-key.domain.js';
import type { ApiKeyRepository } from './api-key.repository.js';

interface Repositories {
  apiKeys: ApiKeyRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
}

export class ApiKeyService {
  constructor(private readonly deps: Deps) {}

  /**
   * @returns the key itself too, which is kept nowhere
   * @throws AppError limit-reached; forbidden for a scope that the user has no right to; validation-failed
   */
  async create({ userId, role }: Principal, wanted: NewApiKey): Promise<{ apiKey: ApiKey; text: string }> {
    if (wanted.scopes.includes('admin') && role !== 'admin') {
      throw new AppError('forbidden', 'Only administrators can give a key the scope "admin".');
    }
    if (wanted.expiresAt !== null && wanted.expiresAt.getTime() <= Date.now()) {
      throw invalidField('expiresAt', 'This time is over already.');
    }
    const secret = newKeySecret();
    const apiKey = await this.deps.uow.run(({ repositories }) => repositories.apiKeys.create(userId, wanted, secret));
    return { apiKey, text: secret.text };
  }

  list(userId: string, page: PageRequest): Promise<Page<ApiKey>> {
    return this.deps.repositories.apiKeys.list(userId, page);
  }

  /** @throws AppError not-found */
  async delete(userId: string, id: string): Promise<void> {
    await this.deps.uow.run(({ repositories }) => repositories.apiKeys.delete(userId, id));
  }
}
