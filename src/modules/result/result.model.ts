import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { InferenceResult } from '../../contract/inference.contract.js';

export interface ResultModel extends Model<InferAttributes<ResultModel>, InferCreationAttributes<ResultModel>> {
  id: string;
  jobId: string;
  payload: InferenceResult;
  archiveKey: string;
  /** PostgreSQL's bigint arrives as text. */
  archiveBytes: string;
  archiveSha256: string;
  createdAt: CreationOptional<Date>;
}

export function defineResultModel(sequelize: Sequelize): ModelStatic<ResultModel> {
  return sequelize.define<ResultModel>(
    'Result',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      jobId: { type: DataTypes.UUID, allowNull: false, unique: true },
      payload: { type: DataTypes.JSONB, allowNull: false },
      archiveKey: { type: DataTypes.TEXT, allowNull: false, unique: true },
      archiveBytes: { type: DataTypes.BIGINT, allowNull: false },
      archiveSha256: { type: DataTypes.TEXT, allowNull: false },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'results' },
  );
}
