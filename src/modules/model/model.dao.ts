import { Op, literal, type Attributes, type WhereOptions } from 'sequelize';
import type { ModelStatus } from '../../contract/model.contract.js';
import { BaseDao, plain } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ModelReference } from './model.domain.js';
import type { ModelModel } from './model.model.js';

export type ModelRow = Attributes<ModelModel>;

export type ModelFields = Partial<Pick<ModelRow, 'description' | 'runners' | 'resources' | 'status'>>;

export class ModelDao extends BaseDao<ModelModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.models);
  }

  findById(id: string): Promise<ModelRow | null> {
    return this.findOne({ id });
  }

  /** The row, which nobody else changes until this transaction ends. */
  async hold(id: string): Promise<ModelRow | null> {
    const row = await this.model.findOne({ where: { id }, lock: true, ...this.inScope });
    return row === null ? null : plain(row);
  }

  /**
   * The active row that a reference means, which nobody deletes until this transaction ends. Null also when it has just
   * been deleted, though another may answer to the name by now.
   */
  async takeActive({ name, version }: ModelReference): Promise<ModelRow | null> {
    const [row] = await this.scope.sequelize.query<ModelModel>(
      `SELECT * FROM models WHERE name = $1 AND status = 'active' AND ($2::text IS NULL OR version = $2)
       ORDER BY position DESC LIMIT 1 FOR KEY SHARE`,
      { bind: [name, version], model: this.model, mapToModel: true, ...this.inScope },
    );
    return row === undefined ? null : plain(row);
  }

  /** Of each name behind `after` the newest active version, by name. */
  async newestActive(after: string, limit: number): Promise<ModelRow[]> {
    const rows = await this.scope.sequelize.query<ModelModel>(
      `SELECT DISTINCT ON (name) * FROM models WHERE status = 'active' AND name > $1
       ORDER BY name, position DESC LIMIT $2`,
      { bind: [after, limit], model: this.model, mapToModel: true, ...this.inScope },
    );
    return rows.map((row) => plain(row));
  }

  /** By name, the newest version of each first. */
  async active(limit: number): Promise<ModelRow[]> {
    const rows = await this.model.findAll({
      where: { status: 'active' },
      order: [
        ['name', 'ASC'],
        ['position', 'DESC'],
      ],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => plain(row));
  }

  /** Newest first. */
  async activeVersions(name: string): Promise<string[]> {
    const rows = await this.rows<{ version: string }>(
      `SELECT version FROM models WHERE name = $1 AND status = 'active' ORDER BY position DESC`,
      [name],
    );
    return rows.map(({ version }) => version);
  }

  /** Newest first, those behind `before` only. */
  async page(filter: {
    name: string | null;
    status: ModelStatus | null;
    before: string | null;
    limit: number;
  }): Promise<ModelRow[]> {
    const where: WhereOptions<ModelRow> = {
      ...(filter.name === null ? {} : { name: filter.name }),
      ...(filter.status === null ? {} : { status: filter.status }),
      ...(filter.before === null ? {} : { position: { [Op.lt]: filter.before } }),
    };
    const rows = await this.model.findAll({
      where,
      order: [['position', 'DESC']],
      limit: filter.limit,
      ...this.inScope,
    });
    return rows.map((row) => plain(row));
  }

  async change(id: string, fields: ModelFields): Promise<ModelRow | null> {
    const [, rows] = await this.model.update(
      { ...fields, updatedAt: literal('now()') },
      { where: { id }, returning: true, ...this.inScope },
    );
    return rows.length === 0 ? null : plain(rows[0]);
  }

  async delete(id: string): Promise<boolean> {
    return (await this.model.destroy({ where: { id }, ...this.inScope })) === 1;
  }

  /** What a version is made of, unless it is that already. @param digest null leaves the one that is there */
  async renew(id: string, schema: string, digest: string | null): Promise<void> {
    await this.rows(
      `UPDATE models SET parameter_schema = $2::json, digest = coalesce($3, digest), updated_at = now()
       WHERE id = $1 AND (parameter_schema::text <> $2 OR digest IS DISTINCT FROM coalesce($3, digest))`,
      [id, schema, digest],
    );
  }
}
