import { uploadVideoFields, type uploadVideoRoute } from '../../contract/dataset.contract.js';
import type { UploadReceiver } from '../../http/receive-upload.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { Video } from './video.domain.js';
import { presentAddedVideo, presentVideo } from './video.presenter.js';
import type { VideoService } from './video.service.js';

export class VideoController {
  constructor(
    private readonly videos: VideoService,
    private readonly uploads: UploadReceiver,
  ) {}

  readonly upload: RouteHandler<typeof uploadVideoRoute> = async (
    { params },
    { principal, request, response, signal, once },
  ) => {
    const { userId } = principal;
    // A repetition is answered from memory, also when the first one took the last credit.
    if (!(await once.isAnswered())) await this.videos.checkUpload(userId, params.id);
    const { fields, content } = await this.uploads.receive(request, response, {
      fields: uploadVideoFields,
      fileField: 'content',
      signal,
    });
    const { name, type } = fields;
    return once.run(
      (once) => this.videos.add({ userId, datasetId: params.id, name, type, content }, once, signal),
      (videos: Video[]) => ({
        body: {
          message: `${name} - video added`,
          id: videos[0].id,
          costDeducted: videos.reduce((sum, { cost }) => sum + cost, 0),
          video: presentVideo(videos[0]),
          videos: videos.map(presentAddedVideo),
        },
      }),
      { fields, sha256: content.sha256 },
    );
  };
}
