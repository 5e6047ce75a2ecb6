import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import { violatesUnique } from '../../platform/database/database-errors.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page } from '../../platform/page.js';
import { DatasetDao, type DatasetRow } from './dataset.dao.js';
import type { Dataset, DatasetFilter, ExpectedVersions } from './dataset.domain.js';

/** A user's live datasets; somebody else's and deleted ones do not exist here. */
export class DatasetRepository {
  private readonly datasets: DatasetDao;

  constructor(scope: DatabaseScope) {
    this.datasets = new DatasetDao(scope);
  }

  /** @throws AppError name-taken */
  async create(userId: string, fields: { name: string; tags: string[] }): Promise<Dataset> {
    return toDataset(await nameGuard(() => this.datasets.insert({ id: randomUUID(), userId, ...fields })));
  }

  /** @throws AppError not-found */
  async get(userId: string, id: string): Promise<Dataset> {
    return toDataset(present(await this.datasets.findLive(userId, id)));
  }

  /**
   * Keeps the dataset from being deleted until the transaction ends.
   * @throws AppError not-found
   */
  async hold(userId: string, id: string): Promise<void> {
    if (!(await this.datasets.lockLive(userId, id))) throw notFound('dataset');
  }

  /**
   * Marks a change of what is in the dataset, and keeps everybody else from it until the transaction ends.
   * @throws AppError not-found
   */
  async touch(userId: string, id: string): Promise<void> {
    present(await this.datasets.updateLive(userId, id, {}, null));
  }

  async list(userId: string, { tags, match, ...page }: DatasetFilter): Promise<Page<Dataset>> {
    const after = page.cursor === undefined ? '0' : decodeCursor(page.cursor, [NUMBER_KEY])[0];
    const rows = await this.datasets.pageLive(userId, { tags, match, after, limit: page.limit + 1 });
    return cutPage(rows, page.limit, ({ position }) => [position], toDataset);
  }

  /** @throws AppError not-found, name-taken, precondition-failed */
  async update(
    userId: string,
    id: string,
    changes: { name?: string; tags?: string[] },
    expected: ExpectedVersions,
  ): Promise<Dataset> {
    const row = await nameGuard(() => this.datasets.updateLive(userId, id, changes, expected));
    return toDataset(row ?? (await this.refusal(userId, id)));
  }

  /** @throws AppError not-found, precondition-failed */
  async delete(userId: string, id: string, expected: ExpectedVersions): Promise<void> {
    if (!(await this.datasets.softDelete(userId, id, expected))) await this.refusal(userId, id);
  }

  /** Why nothing was changed: it is not there, or not in the state that was expected. */
  private async refusal(userId: string, id: string): Promise<never> {
    present(await this.datasets.findLive(userId, id));
    throw new AppError('precondition-failed', 'The dataset has changed since you read it; read it again.');
  }
}

function toDataset(row: DatasetRow): Dataset {
  const { id, userId, name, tags, version, createdAt, updatedAt } = row;
  return { id, userId, name, tags, version, createdAt, updatedAt };
}

function present(row: DatasetRow | null): DatasetRow {
  if (row === null) throw notFound('dataset');
  return row;
}

async function nameGuard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!violatesUnique(error, 'datasets_live_name')) throw error;
    throw new AppError('name-taken', 'You have another dataset of this name.', { cause: error });
  }
}
