import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { UploadType } from '../../contract/dataset.contract.js';
import type { UploadState } from '../../contract/upload.contract.js';
import type { UploadProblem } from './upload.domain.js';

export interface UploadModel extends Model<InferAttributes<UploadModel>, InferCreationAttributes<UploadModel>> {
  id: string;
  userId: string;
  datasetId: string;
  name: string;
  type: UploadType;
  metadata: Record<string, string | null>;
  /** PostgreSQL's bigint arrives as text. */
  length: string;
  /** PostgreSQL's bigint arrives as text. */
  received: CreationOptional<string>;
  state: CreationOptional<UploadState>;
  problem: CreationOptional<UploadProblem | null>;
  videoIds: CreationOptional<string[]>;
  decoderFailures: CreationOptional<number>;
  claimToken: CreationOptional<string | null>;
  claimExpiresAt: CreationOptional<Date | null>;
  lockToken: CreationOptional<string | null>;
  lockExpiresAt: CreationOptional<Date | null>;
  lockWanted: CreationOptional<boolean>;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
  expiresAt: Date;
}

export function defineUploadModel(sequelize: Sequelize): ModelStatic<UploadModel> {
  return sequelize.define<UploadModel>(
    'Upload',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      userId: { type: DataTypes.UUID, allowNull: false },
      datasetId: { type: DataTypes.UUID, allowNull: false },
      name: { type: DataTypes.TEXT, allowNull: false },
      type: { type: DataTypes.TEXT, allowNull: false },
      metadata: { type: DataTypes.JSON, allowNull: false },
      length: { type: DataTypes.BIGINT, allowNull: false },
      received: { type: DataTypes.BIGINT },
      state: { type: DataTypes.TEXT },
      problem: { type: DataTypes.JSONB },
      videoIds: { type: DataTypes.ARRAY(DataTypes.UUID) },
      decoderFailures: { type: DataTypes.INTEGER },
      claimToken: { type: DataTypes.UUID },
      claimExpiresAt: { type: DataTypes.DATE },
      lockToken: { type: DataTypes.UUID },
      lockExpiresAt: { type: DataTypes.DATE },
      lockWanted: { type: DataTypes.BOOLEAN },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
      expiresAt: { type: DataTypes.DATE, allowNull: false },
    },
    { tableName: 'uploads' },
  );
}
