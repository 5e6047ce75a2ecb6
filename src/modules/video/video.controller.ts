import { uploadVideoFields, type uploadVideoRoute } from '../../contract/dataset.contract.js';
import type { UploadReceiver } from '../../http/receive-upload.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentVideo } from './video.presenter.js';
import type { VideoService } from './video.service.js';

export class VideoController {
  constructor(
    private readonly videos: VideoService,
    private readonly uploads: UploadReceiver,
  ) {}

  readonly upload: RouteHandler<typeof uploadVideoRoute> = async (
    { params },
    { principal, request, response, signal },
  ) => {
    const { userId } = principal;
    await this.videos.checkUpload(userId, params.id);
    const { fields, content } = await this.uploads.receive(request, response, {
      fields: uploadVideoFields,
      fileField: 'content',
      signal,
    });
    const video = await this.videos.add({ userId, datasetId: params.id, name: fields.name, content }, signal);
    return {
      body: {
        message: `${video.name} - video added`,
        id: video.id,
        costDeducted: video.cost,
        video: presentVideo(video),
      },
    };
  };
}
