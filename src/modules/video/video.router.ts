import { uploadVideoRoute } from '../../contract/dataset.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { VideoController } from './video.controller.js';

export const videoRoutes = (controller: VideoController): Route[] => [route(uploadVideoRoute, controller.upload)];
