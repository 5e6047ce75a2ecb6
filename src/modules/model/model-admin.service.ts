import { isDeepStrictEqual } from 'node:util';
import { AppError, invalidField } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import type { Page } from '../../platform/page.js';
import type { AuditRepository } from '../audit/audit.repository.js';
import {
  CNS_MODEL_ID,
  type Model,
  type ModelChange,
  type ModelFilter,
  type NewModel,
  type RunnerSelection,
} from './model.domain.js';
import type { ModelRepository } from './model.repository.js';
import { findModelSchemaFlaw } from './model-schema.js';

interface Repositories {
  audit: AuditRepository;
  models: ModelRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  /** Kinds of runners that this installation knows. */
  runnerKinds: readonly string[];
}

const CHANGEABLE = ['description', 'runners', 'resources', 'status'] as const;

/** What administrators do with models. */
export class ModelAdminService {
  constructor(private readonly deps: Deps) {}

  /** Newest first, disabled ones too. */
  list(filter: ModelFilter): Promise<Page<Model>> {
    return this.deps.repositories.models.list(filter);
  }

  /** @throws AppError not-found */
  get(id: string): Promise<Model> {
    return this.deps.repositories.models.get(id);
  }

  /** @throws AppError model-version-taken; validation-failed for a schema that cannot be used, or an unknown kind */
  create(actorId: string, model: NewModel, once: Once<Model>): Promise<Model> {
    this.checkSelection(model.runners);
    const flaw = findModelSchemaFlaw(model.parameterSchema);
    if (flaw !== null) throw invalidField(['parameter_schema', ...flaw.path].join('.'), flaw.message);
    return this.deps.uow.run(
      async ({ repositories }) => {
        const created = await repositories.models.create(model);
        await repositories.audit.record({ ...targetOf(actorId, created), action: 'model.create' });
        return created;
      },
      { once },
    );
  }

  /**
   * Doing it again changes nothing and leaves no second entry in the audit log.
   * @throws AppError not-found; validation-failed for an unknown kind of runner
   */
  update(actorId: string, id: string, change: ModelChange): Promise<Model> {
    if (change.runners !== undefined) this.checkSelection(change.runners);
    return this.deps.uow.run(async ({ repositories }) => {
      const before = await repositories.models.hold(id);
      const changed = CHANGEABLE.filter(
        (name) => change[name] !== undefined && !isDeepStrictEqual(change[name], before[name]),
      );
      if (changed.length === 0) return before;
      const after = await repositories.models.change(id, change);
      const { detail, ...target } = targetOf(actorId, after);
      await repositories.audit.record({
        ...target,
        action: 'model.update',
        detail: { ...detail, changed: changed.join(', '), status: after.status },
      });
      return after;
    });
  }

  /** @throws AppError not-found; model-in-use */
  async delete(actorId: string, id: string): Promise<void> {
    await this.deps.uow.run(async ({ repositories }) => {
      const model = await repositories.models.hold(id);
      if (id === CNS_MODEL_ID) {
        throw new AppError('model-in-use', 'Jobs that name no model run this one. Disable it instead.');
      }
      await repositories.models.delete(id);
      await repositories.audit.record({ ...targetOf(actorId, model), action: 'model.delete' });
    });
  }

  private checkSelection({ kinds = [] }: RunnerSelection): void {
    const { runnerKinds } = this.deps;
    const unknown = kinds.findIndex((kind) => !runnerKinds.includes(kind));
    if (unknown === -1) return;
    const message = `There is no such kind of runner. There are: ${runnerKinds.join(', ')}.`;
    throw invalidField(`runners.kinds.${unknown}`, message);
  }
}

const targetOf = (actorId: string, { id, name, version }: Model) => ({
  actorId,
  targetType: 'model',
  targetId: id,
  detail: { name, version },
});
