import { literal, Op, type Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { VideoModel } from './video.model.js';

export type VideoRow = Attributes<VideoModel>;

export class VideoDao extends BaseDao<VideoModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.videos);
  }

  findById(id: string) {
    return this.findOne({ id });
  }

  async listLiveByIds(ids: readonly string[]): Promise<VideoRow[]> {
    const where = { id: [...ids], deletedAt: null };
    const rows = await this.model.findAll({ where, order: [['position', 'ASC']], ...this.inScope });
    return rows.map((row) => row.get({ plain: true }));
  }

  async listLive(datasetId: string): Promise<VideoRow[]> {
    const rows = await this.model.findAll({
      where: { datasetId, deletedAt: null },
      order: [['position', 'ASC']],
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  findLive(datasetId: string, id: string) {
    return this.findOne({ id, datasetId, deletedAt: null });
  }

  async pageLive(datasetId: string, page: { after: string; limit: number }): Promise<VideoRow[]> {
    const rows = await this.model.findAll({
      where: { datasetId, deletedAt: null, position: { [Op.gt]: page.after } },
      order: [['position', 'ASC']],
      limit: page.limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  async renameLive(datasetId: string, id: string, name: string): Promise<VideoRow | null> {
    const [, rows] = await this.model.update(
      { name },
      { where: { id, datasetId, deletedAt: null }, returning: true, ...this.inScope },
    );
    return rows[0]?.get({ plain: true }) ?? null;
  }

  async softDelete(datasetId: string, id: string): Promise<boolean> {
    const [count] = await this.model.update(
      { deletedAt: literal('now()') },
      { where: { id, datasetId, deletedAt: null }, ...this.inScope },
    );
    return count === 1;
  }

  async softDeleteAll(datasetId: string): Promise<void> {
    await this.model.update(
      { deletedAt: literal('now()') },
      { where: { datasetId, deletedAt: null }, ...this.inScope },
    );
  }

  /**
   * Parts videos that were deleted so long ago from their files, unless a job still needs them. Rows that another
   * process is at are left to it.
   * @returns the storage keys they had
   */
  async purgeDeleted(retentionSeconds: number, limit: number): Promise<string[]> {
    const rows = await this.rows<{ storage_key: string }>(
      `WITH due AS (
         SELECT id, storage_key FROM videos
         WHERE deleted_at < now() - make_interval(secs => $1) AND purged_at IS NULL
           AND NOT EXISTS (SELECT FROM inference_jobs WHERE goal_video_id = videos.id AND status IN ('PENDING', 'RUNNING'))
           AND NOT EXISTS (SELECT FROM inference_jobs WHERE current_video_id = videos.id AND status IN ('PENDING', 'RUNNING'))
         ORDER BY deleted_at LIMIT $2
         FOR NO KEY UPDATE SKIP LOCKED
       )
       UPDATE videos SET storage_key = NULL, purged_at = now() FROM due WHERE videos.id = due.id
       RETURNING due.storage_key`,
      [retentionSeconds, limit],
    );
    return rows.map((row) => row.storage_key);
  }
}
