import type {
  deleteVideoRoute,
  getVideoRoute,
  listVideosRoute,
  updateVideoRoute,
  videoContentRoute,
  videoThumbnailRoute,
} from '../../contract/video.contract.js';
import { attachmentHeader } from '../../http/attachment-header.js';
import { sendContent } from '../../http/send-content.js';
import { ANSWERED, type RouteHandler } from '../../http/route-table.js';
import { fileFormatOf } from './video.domain.js';
import type { VideoLibraryService } from './video-library.service.js';
import { THUMBNAIL_SIDE, type VideoThumbnailService } from './video-thumbnail.service.js';
import { presentVideo } from './video.presenter.js';

/** Content under an id never changes, but it may be deleted; and it is for the caller's eyes. */
const CACHING = { 'Cache-Control': 'private, no-cache, no-transform' };

export class VideoLibraryController {
  constructor(
    private readonly library: VideoLibraryService,
    private readonly thumbnails: VideoThumbnailService,
  ) {}

  readonly list: RouteHandler<typeof listVideosRoute> = async ({ params, query }, { principal }) => {
    const page = await this.library.list(principal.userId, params.id, query);
    return { body: { videos: page.items.map(presentVideo), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getVideoRoute> = async ({ params }, { principal }) => ({
    body: { video: presentVideo(await this.library.get(addressOf(params, principal))) },
  });

  readonly update: RouteHandler<typeof updateVideoRoute> = async ({ params, body }, { principal }) => {
    const video = await this.library.rename(addressOf(params, principal), body.name);
    return { body: { message: 'Video updated successfully', video: presentVideo(video) } };
  };

  readonly delete: RouteHandler<typeof deleteVideoRoute> = async ({ params }, { principal }) => {
    await this.library.delete(addressOf(params, principal));
    return { body: { message: 'Video deleted successfully' } };
  };

  readonly content: RouteHandler<typeof videoContentRoute> = async ({ params }, { principal, request, response }) => {
    const video = await this.library.get(addressOf(params, principal));
    const { mediaType, extension } = fileFormatOf(video);
    const hasExtension = video.name.toLowerCase().endsWith(extension);
    await sendContent(request, response, {
      bytes: video.sizeBytes,
      etag: `"${video.sha256}"`,
      headers: {
        ...CACHING,
        'Content-Type': mediaType,
        'Content-Disposition': attachmentHeader(hasExtension ? video.name : `${video.name}${extension}`),
      },
      open: (range) => this.library.open(video, range),
    });
    return ANSWERED;
  };

  readonly thumbnail: RouteHandler<typeof videoThumbnailRoute> = async (
    { params },
    { principal, request, response, signal },
  ) => {
    const video = await this.library.get(addressOf(params, principal));
    await sendContent(request, response, {
      bytes: await this.thumbnails.prepare(video, signal),
      etag: `"${video.sha256}-${THUMBNAIL_SIDE}"`,
      headers: { ...CACHING, 'Content-Type': 'image/jpeg' },
      open: (range) => this.thumbnails.open(video, range),
    });
    return ANSWERED;
  };
}

const addressOf = (params: { id: string; videoId: string }, { userId }: { userId: string }) => ({
  userId,
  datasetId: params.id,
  videoId: params.videoId,
});
