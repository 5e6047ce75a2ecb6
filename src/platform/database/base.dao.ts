import {
  QueryTypes,
  type BindOrReplacements,
  type Attributes,
  type CreationAttributes,
  type Model,
  type ModelStatic,
  type WhereOptions,
} from 'sequelize';
import type { DatabaseScope } from './scope.js';

/** The dull part of every DAO: one table, inside whatever transaction the scope has. */
export abstract class BaseDao<M extends Model> {
  constructor(
    protected readonly scope: DatabaseScope,
    protected readonly model: ModelStatic<M>,
  ) {}

  protected get inScope() {
    return { transaction: this.scope.transaction };
  }

  async insert(values: CreationAttributes<M>): Promise<Attributes<M>> {
    return plain(await this.model.create(values, { ...this.inScope, returning: true }));
  }

  protected async findOne(where: WhereOptions<Attributes<M>>): Promise<Attributes<M> | null> {
    const row = await this.model.findOne({ where, ...this.inScope });
    return row === null ? null : plain(row);
  }

  /** Statements that guard themselves (`UPDATE … WHERE … RETURNING`); bound parameters only, never pasted text. */
  protected async rows<Row extends object>(sql: string, bind: BindOrReplacements): Promise<Row[]> {
    return this.scope.sequelize.query<Row>(sql, { bind, type: QueryTypes.SELECT, ...this.inScope });
  }
}

/** The row without Sequelize around it; `get` itself does not say what it returns. */
export function plain<M extends Model>(row: M): Attributes<M> {
  return row.get({ plain: true }) as Attributes<M>;
}
