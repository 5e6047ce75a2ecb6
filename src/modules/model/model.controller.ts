import type {
  createModelRoute,
  deleteModelRoute,
  getManagedModelRoute,
  getModelRoute,
  listManagedModelsRoute,
  listModelsRoute,
  updateModelRoute,
} from '../../contract/model.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { ModelAdminService } from './model-admin.service.js';
import { parseModelReference, type Model } from './model.domain.js';
import { presentManagedModel, presentModel } from './model.presenter.js';
import type { ModelService } from './model.service.js';

export class ModelController {
  constructor(
    private readonly models: ModelService,
    private readonly admin: ModelAdminService,
  ) {}

  readonly list: RouteHandler<typeof listModelsRoute> = async ({ query }) => {
    const page = await this.models.list(query);
    return { body: { models: page.items.map(presentModel), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getModelRoute> = async ({ params }) => {
    const { model, versions } = await this.models.get(parseModelReference(params.name));
    return { body: { model: presentModel(model), versions } };
  };

  readonly listManaged: RouteHandler<typeof listManagedModelsRoute> = async ({ query }) => {
    const { name, status, limit, cursor } = query;
    const page = await this.admin.list({ name: name ?? null, status: status ?? null, limit, cursor });
    return { body: { models: page.items.map(presentManagedModel), nextCursor: page.nextCursor } };
  };

  readonly getManaged: RouteHandler<typeof getManagedModelRoute> = async ({ params }) => ({
    body: { model: presentManagedModel(await this.admin.get(params.id)) },
  });

  readonly create: RouteHandler<typeof createModelRoute> = ({ body }, { principal, once }) => {
    const { parameter_schema: parameterSchema, ...model } = body;
    return once.run(
      (once) => this.admin.create(principal.userId, { ...model, parameterSchema }, once),
      (created: Model) => ({ body: { message: 'Model added', model: presentManagedModel(created) } }),
    );
  };

  readonly update: RouteHandler<typeof updateModelRoute> = async ({ params, body }, { principal }) => {
    const model = await this.admin.update(principal.userId, params.id, body);
    return { body: { message: 'Model changed', model: presentManagedModel(model) } };
  };

  readonly delete: RouteHandler<typeof deleteModelRoute> = async ({ params }, { principal }) => {
    await this.admin.delete(principal.userId, params.id);
    return { body: { message: 'Model deleted' } };
  };
}
