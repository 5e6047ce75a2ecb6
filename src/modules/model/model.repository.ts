import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import { violatesForeignKey, violatesUnique } from '../../platform/database/database-errors.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { cutPage, decodeCursor, NUMBER_KEY, type Page, type PageRequest } from '../../platform/page.js';
import { ModelDao, type ModelRow } from './model.dao.js';
import type { Model, ModelChange, ModelFilter, ModelReference, NewModel, ParameterSchema } from './model.domain.js';

/** A name as it stands in a cursor. */
const NAME_KEY = /^[a-z0-9._-]{1,64}$/;
/** Each round loses to a deletion of the newest version: nobody deletes so many in a row. */
const MOST_ROUNDS = 10;

export class ModelRepository {
  private readonly models: ModelDao;

  constructor(scope: DatabaseScope) {
    this.models = new ModelDao(scope);
  }

  /** @throws AppError not-found */
  async get(id: string): Promise<Model> {
    const row = await this.models.findById(id);
    if (row === null) throw notFound('model');
    return toModel(row);
  }

  /** @throws AppError not-found. The row is held until the end of the transaction. */
  async hold(id: string): Promise<Model> {
    const row = await this.models.hold(id);
    if (row === null) throw notFound('model');
    return toModel(row);
  }

  /** The active model that a reference means, which stays there until the end of the transaction; null without one. */
  async findActive(reference: ModelReference): Promise<Model | null> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const row = await this.models.takeActive(reference);
      if (row !== null) return toModel(row);
      const versions = await this.models.activeVersions(reference.name);
      const isThere = reference.version === null ? versions.length > 0 : versions.includes(reference.version);
      if (!isThere) return null;
    }
    throw new Error(`The model ${reference.name} is deleted as fast as it is looked up`);
  }

  /** By name; of each the newest version that is active. */
  async listActive({ limit, cursor }: PageRequest): Promise<Page<Model>> {
    const after = cursor === undefined ? '' : decodeCursor(cursor, [NAME_KEY])[0];
    const rows = await this.models.newestActive(after, limit + 1);
    return cutPage(rows, limit, ({ name }) => [name], toModel);
  }

  /** All active models by name, the newest version of each first. */
  async listActiveVersions(limit: number): Promise<Model[]> {
    return (await this.models.active(limit)).map(toModel);
  }

  /** Newest first. */
  activeVersions(name: string): Promise<string[]> {
    return this.models.activeVersions(name);
  }

  /** Newest first. */
  async list({ name, status, limit, cursor }: ModelFilter): Promise<Page<Model>> {
    const before = cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.models.page({ name, status, before, limit: limit + 1 });
    return cutPage(rows, limit, ({ position }) => [position], toModel);
  }

  /** @throws AppError model-version-taken */
  async create(model: NewModel): Promise<Model> {
    try {
      return toModel(await this.models.insert({ id: randomUUID(), ...model }));
    } catch (error) {
      if (!violatesUnique(error, 'models_version')) throw error;
      const detail = `There is a version ${model.version} of "${model.name}" already.`;
      throw new AppError('model-version-taken', detail, { cause: error });
    }
  }

  /** @throws AppError not-found */
  async change(id: string, change: ModelChange): Promise<Model> {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as ModelChange;
    const row = await this.models.change(id, given);
    if (row === null) throw notFound('model');
    return toModel(row);
  }

  /** @throws AppError not-found; model-in-use while a job refers to it, also one that is being submitted */
  async delete(id: string): Promise<void> {
    try {
      if (!(await this.models.delete(id))) throw notFound('model');
    } catch (error) {
      if (!violatesForeignKey(error)) throw error;
      throw new AppError('model-in-use', 'Jobs refer to this model. Disable it instead.', { cause: error });
    }
  }

  /** @param digest null leaves the one that is there */
  renew(id: string, schema: ParameterSchema, digest: string | null): Promise<void> {
    return this.models.renew(id, JSON.stringify(schema), digest);
  }
}

function toModel({ position: _position, ...row }: ModelRow): Model {
  return row;
}
