import {
  createModelRoute,
  deleteModelRoute,
  getManagedModelRoute,
  getModelRoute,
  listManagedModelsRoute,
  listModelsRoute,
  updateModelRoute,
} from '../../contract/model.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { ModelController } from './model.controller.js';

export const modelRoutes = (controller: ModelController): Route[] => [
  route(listModelsRoute, controller.list),
  route(getModelRoute, controller.get),
  route(listManagedModelsRoute, controller.listManaged),
  route(createModelRoute, controller.create),
  route(getManagedModelRoute, controller.getManaged),
  route(updateModelRoute, controller.update),
  route(deleteModelRoute, controller.delete),
];
