import { AppError } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { VideoDao, type VideoRow } from './video.dao.js';
import type { NewVideo, Video } from './video.domain.js';

export class VideoRepository {
  private readonly videos: VideoDao;

  constructor(scope: DatabaseScope) {
    this.videos = new VideoDao(scope);
  }

  async add(video: NewVideo): Promise<Video> {
    return toVideo(await this.videos.insert({ ...video, sizeBytes: String(video.sizeBytes) }));
  }

  /** In order of creation. The caller has made sure that the dataset is the user's. */
  async listOf(datasetId: string): Promise<Video[]> {
    return (await this.videos.listByDataset(datasetId)).map(toVideo);
  }

  /** For work on a job that refers to it: rows of videos are kept as long as jobs are. */
  async get(id: string): Promise<Video> {
    const row = await this.videos.findById(id);
    if (row === null) throw new AppError('internal-error', `Video ${id} has no row although a job refers to it.`);
    return toVideo(row);
  }
}

function toVideo({ position: _position, sizeBytes, ...row }: VideoRow): Video {
  return { ...row, sizeBytes: Number(sizeBytes) };
}
