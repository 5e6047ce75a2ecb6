import {
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface PartialRowsModel extends Model<
  InferAttributes<PartialRowsModel>,
  InferCreationAttributes<PartialRowsModel>
> {
  jobId: string;
  attempt: number;
  firstRow: number;
  rowCount: number;
  /** Six numbers per processed frame. */
  velocity: number[][];
}

export function definePartialRowsModel(sequelize: Sequelize): ModelStatic<PartialRowsModel> {
  return sequelize.define<PartialRowsModel>(
    'InferencePartialRows',
    {
      jobId: { type: DataTypes.UUID, primaryKey: true },
      attempt: { type: DataTypes.INTEGER, primaryKey: true },
      firstRow: { type: DataTypes.INTEGER, primaryKey: true },
      rowCount: { type: DataTypes.INTEGER, allowNull: false },
      velocity: { type: DataTypes.JSONB, allowNull: false },
    },
    { tableName: 'inference_partial_rows' },
  );
}
