import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { StoredInferenceResult } from '../../contract/inference.contract.js';
import type { Removal } from './result.domain.js';

export interface ResultModel extends Model<InferAttributes<ResultModel>, InferCreationAttributes<ResultModel>> {
  id: string;
  jobId: string;
  /** Null once the result is removed. */
  payload: StoredInferenceResult | null;
  archiveKey: string;
  /** PostgreSQL's bigint arrives as text. */
  archiveBytes: string;
  archiveSha256: string;
  createdAt: CreationOptional<Date>;
  expiresAt: CreationOptional<Date | null>;
  removedAt: CreationOptional<Date | null>;
  removal: CreationOptional<Removal | null>;
}

export function defineResultModel(sequelize: Sequelize): ModelStatic<ResultModel> {
  return sequelize.define<ResultModel>(
    'Result',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      jobId: { type: DataTypes.UUID, allowNull: false, unique: true },
      payload: { type: DataTypes.JSONB },
      archiveKey: { type: DataTypes.TEXT, allowNull: false, unique: true },
      archiveBytes: { type: DataTypes.BIGINT, allowNull: false },
      archiveSha256: { type: DataTypes.TEXT, allowNull: false },
      createdAt: { type: DataTypes.DATE },
      expiresAt: { type: DataTypes.DATE },
      removedAt: { type: DataTypes.DATE },
      removal: { type: DataTypes.TEXT },
    },
    { tableName: 'results' },
  );
}
