import {
  createDatasetRoute,
  deleteDatasetRoute,
  getDatasetRoute,
  listDatasetsRoute,
  updateDatasetRoute,
} from '../../contract/dataset.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { DatasetController } from './dataset.controller.js';

export const datasetRoutes = (controller: DatasetController): Route[] => [
  route(createDatasetRoute, controller.create),
  route(listDatasetsRoute, controller.list),
  route(getDatasetRoute, controller.get),
  route(updateDatasetRoute, controller.update),
  route(deleteDatasetRoute, controller.delete),
];
