import { Op, literal, type Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ExpectedVersions, TagMatch } from './dataset.domain.js';
import type { DatasetModel } from './dataset.model.js';

export type DatasetRow = Attributes<DatasetModel>;

export class DatasetDao extends BaseDao<DatasetModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.datasets);
  }

  findLive(userId: string, id: string) {
    return this.findOne({ id, userId, deletedAt: null });
  }

  /** Locks the live row until the transaction ends, so that it cannot be deleted under an upload or a submission. */
  async lockLive(userId: string, id: string): Promise<boolean> {
    const found = await this.rows(
      'SELECT 1 FROM datasets WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL FOR SHARE',
      [id, userId],
    );
    return found.length === 1;
  }

  async pageLive(
    userId: string,
    page: { tags: readonly string[]; match: TagMatch; after: string; limit: number },
  ): Promise<DatasetRow[]> {
    const matching = page.match === 'all' ? Op.contains : Op.overlap;
    const rows = await this.model.findAll({
      where: {
        userId,
        deletedAt: null,
        position: { [Op.gt]: page.after },
        ...(page.tags.length > 0 ? { tags: { [matching]: [...page.tags] } } : {}),
      },
      order: [['position', 'ASC']],
      limit: page.limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  async updateLive(
    userId: string,
    id: string,
    changes: { name?: string; tags?: string[] },
    expected: ExpectedVersions,
  ): Promise<DatasetRow | null> {
    const [, rows] = await this.model.update(
      { ...changes, version: literal('version + 1'), updatedAt: literal('now()') },
      { where: liveAt(userId, id, expected), returning: true, ...this.inScope },
    );
    return rows[0]?.get({ plain: true }) ?? null;
  }

  async softDelete(userId: string, id: string, expected: ExpectedVersions): Promise<boolean> {
    const [count] = await this.model.update(
      { deletedAt: literal('now()') },
      { where: liveAt(userId, id, expected), ...this.inScope },
    );
    return count === 1;
  }
}

/** The guard of every change: the row, as long as it is there and in a state that the change is meant for. */
function liveAt(userId: string, id: string, expected: ExpectedVersions) {
  return { id, userId, deletedAt: null, ...(expected === null ? {} : { version: [...expected] }) };
}
