import type { Attributes } from 'sequelize';
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

  async listByDataset(datasetId: string): Promise<VideoRow[]> {
    const rows = await this.model.findAll({ where: { datasetId }, order: [['position', 'ASC']], ...this.inScope });
    return rows.map((row) => row.get({ plain: true }));
  }
}
