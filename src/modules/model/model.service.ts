import { runParametersDocument } from '../../contract/model.contract.js';
import { notFound } from '../../platform/app-error.js';
import type { Page, PageRequest } from '../../platform/page.js';
import { CNS_MODEL_ID, type Model, type ModelReference } from './model.domain.js';
import type { ModelRepository } from './model.repository.js';

/** A document with more models than these is for nobody to read. */
const MOST_IN_DOCUMENT = 100;

export interface ListedVersion {
  model: Model;
  /** Its name without a version stands for it. */
  isNewest: boolean;
}

interface Deps {
  repositories: { models: ModelRepository };
}

/** The models that users choose from. */
export class ModelService {
  constructor(private readonly deps: Deps) {}

  /** By name; of each the newest version that is active. */
  list(page: PageRequest): Promise<Page<Model>> {
    return this.deps.repositories.models.listActive(page);
  }

  /**
   * @returns with all active versions of its name, newest first
   * @throws AppError not-found, for a disabled one too
   */
  async get(reference: ModelReference): Promise<{ model: Model; versions: string[] }> {
    const { models } = this.deps.repositories;
    const model = await models.findActive(reference);
    if (model === null) throw notFound('model');
    return { model, versions: await models.activeVersions(model.name) };
  }

  /** All active versions, by name, newest first; `isComplete` is false when there are more. */
  async listForDocument(): Promise<{ models: ListedVersion[]; isComplete: boolean }> {
    const found = await this.deps.repositories.models.listActiveVersions(MOST_IN_DOCUMENT + 1);
    const models = found.map((model, index) => ({
      model,
      isNewest: index === 0 || found[index - 1].name !== model.name,
    }));
    return { models: models.slice(0, MOST_IN_DOCUMENT), isComplete: found.length <= MOST_IN_DOCUMENT };
  }

  /**
   * Brings the row of `cns` up to the contract and the weights of this process; other processes may do the same.
   * @param digest null leaves the one that is there: a process without weights knows nothing of them
   */
  async renewCns(digest: string | null): Promise<void> {
    await this.deps.repositories.models.renew(CNS_MODEL_ID, runParametersDocument(), digest);
  }
}
