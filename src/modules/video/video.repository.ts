import { AppError, notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page, type PageRequest } from '../../platform/page.js';
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
    return (await this.videos.listLive(datasetId)).map(toVideo);
  }

  async page(datasetId: string, { limit, cursor }: PageRequest): Promise<Page<Video>> {
    const after = cursor === undefined ? '0' : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.videos.pageLive(datasetId, { after, limit: limit + 1 });
    return cutPage(rows, limit, ({ position }) => [position], toVideo);
  }

  /** @throws AppError not-found */
  async getLive(datasetId: string, id: string): Promise<Video> {
    return toVideo(present(await this.videos.findLive(datasetId, id)));
  }

  /** @throws AppError not-found */
  async rename(datasetId: string, id: string, name: string): Promise<Video> {
    return toVideo(present(await this.videos.renameLive(datasetId, id, name)));
  }

  /** @throws AppError not-found */
  async delete(datasetId: string, id: string): Promise<void> {
    if (!(await this.videos.softDelete(datasetId, id))) throw notFound('video');
  }

  /** Those that there are, in order of creation. The caller has made sure that they are the user's. */
  async listByIds(ids: readonly string[]): Promise<Video[]> {
    return (await this.videos.listLiveByIds(ids)).map(toVideo);
  }

  /** With their dataset, which the caller has just deleted. */
  deleteAllOf(datasetId: string): Promise<void> {
    return this.videos.softDeleteAll(datasetId);
  }

  /** @returns the keys of the files that the purged videos no longer refer to */
  purgeDeleted(retentionSeconds: number, limit: number): Promise<string[]> {
    return this.videos.purgeDeleted(retentionSeconds, limit);
  }

  /**
   * For work on a job that refers to it, also when it was deleted meanwhile: the row is kept as long as jobs are, the file
   * until no job waits for it or runs on it.
   */
  async get(id: string): Promise<Video> {
    const row = await this.videos.findById(id);
    if (row === null) throw new AppError('internal-error', `Video ${id} has no row although a job refers to it.`);
    return toVideo(row);
  }

  /** Frames per second, also of a video whose file is gone; null when it does not say. */
  async frameRateOf(id: string): Promise<number | null> {
    return (await this.videos.findById(id))?.frameRate ?? null;
  }
}

function present(row: VideoRow | null): VideoRow {
  if (row === null) throw notFound('video');
  return row;
}

function toVideo(row: VideoRow): Video {
  const { position: _position, deletedAt: _deletedAt, purgedAt, storageKey, sizeBytes, ...fields } = row;
  if (storageKey === null) {
    throw new AppError('internal-error', `The file of video ${row.id} was removed at ${purgedAt?.toISOString()}.`);
  }
  return { ...fields, storageKey, sizeBytes: Number(sizeBytes) };
}
