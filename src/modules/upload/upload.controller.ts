import type {
  appendUploadRoute,
  createUploadRoute,
  deleteUploadRoute,
  finishUploadRoute,
  getUploadOffsetRoute,
  getUploadRoute,
} from '../../contract/upload.contract.js';
import { ANSWERED, type AuthenticatedScope, type RouteHandler } from '../../http/route-table.js';
import type { TusProtocol } from '../../http/tus-protocol.js';
import { presentAddedVideo } from '../video/video.presenter.js';
import type { Upload } from './upload.domain.js';
import { presentUpload } from './upload.presenter.js';
import type { UploadService } from './upload.service.js';

type SpokenRoute =
  typeof createUploadRoute | typeof getUploadOffsetRoute | typeof appendUploadRoute | typeof deleteUploadRoute;

export class UploadController {
  constructor(
    private readonly uploads: UploadService,
    private readonly tus: TusProtocol,
  ) {}

  /** Everything that tus has a form of its own for. */
  readonly speak: RouteHandler<SpokenRoute> = async (
    _input: unknown,
    { principal, request, response }: AuthenticatedScope,
  ) => {
    await this.tus.serve(request, response, principal.userId);
    return ANSWERED;
  };

  readonly get: RouteHandler<typeof getUploadRoute> = async ({ params }, { principal }) => {
    const upload = await this.uploads.get(principal.userId, params.id);
    return { body: { upload: await this.present(upload, upload.offset) } };
  };

  readonly finish: RouteHandler<typeof finishUploadRoute> = async ({ params }, { principal }) => {
    const upload = await this.uploads.finish(principal.userId, params.id);
    return { body: { upload: await this.present(upload, upload.length) } };
  };

  private async present(upload: Upload, offset: number) {
    return presentUpload(upload, offset, (await this.uploads.videosOf(upload)).map(presentAddedVideo));
  }
}
