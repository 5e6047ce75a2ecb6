import {
  appendUploadRoute,
  createUploadRoute,
  deleteUploadRoute,
  finishUploadRoute,
  getUploadOffsetRoute,
  getUploadRoute,
} from '../../contract/upload.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { UploadController } from './upload.controller.js';

/** HEAD before GET: Express would answer it by what GET answers. */
export const uploadRoutes = (controller: UploadController): Route[] => [
  route(createUploadRoute, controller.speak),
  route(getUploadOffsetRoute, controller.speak),
  route(getUploadRoute, controller.get),
  route(appendUploadRoute, controller.speak),
  route(finishUploadRoute, controller.finish),
  route(deleteUploadRoute, controller.speak),
];
