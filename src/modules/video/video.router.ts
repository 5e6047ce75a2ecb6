import { uploadVideoRoute } from '../../contract/dataset.contract.js';
import {
  deleteVideoRoute,
  getVideoRoute,
  listVideosRoute,
  updateVideoRoute,
  videoContentRoute,
  videoThumbnailRoute,
} from '../../contract/video.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { VideoLibraryController } from './video-library.controller.js';
import type { VideoController } from './video.controller.js';

export const videoRoutes = (uploads: VideoController, library: VideoLibraryController): Route[] => [
  route(uploadVideoRoute, uploads.upload),
  route(listVideosRoute, library.list),
  route(getVideoRoute, library.get),
  route(updateVideoRoute, library.update),
  route(deleteVideoRoute, library.delete),
  route(videoContentRoute, library.content),
  route(videoThumbnailRoute, library.thumbnail),
];
