import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { ModelModality, ModelStatus } from '../../contract/model.contract.js';
import type { ModelResources, ParameterSchema, RunnerSelection } from './model.domain.js';

export interface ModelModel extends Model<InferAttributes<ModelModel>, InferCreationAttributes<ModelModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  name: string;
  version: string;
  modality: ModelModality;
  description: string;
  parameterSchema: ParameterSchema;
  runners: RunnerSelection;
  resources: ModelResources;
  digest: string | null;
  status: ModelStatus;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
}

export function defineModelModel(sequelize: Sequelize): ModelStatic<ModelModel> {
  return sequelize.define<ModelModel>(
    'Model',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      name: { type: DataTypes.TEXT, allowNull: false },
      version: { type: DataTypes.TEXT, allowNull: false },
      modality: { type: DataTypes.TEXT, allowNull: false },
      description: { type: DataTypes.TEXT, allowNull: false },
      parameterSchema: { type: DataTypes.JSON, allowNull: false },
      runners: { type: DataTypes.JSONB, allowNull: false },
      resources: { type: DataTypes.JSONB, allowNull: false },
      digest: { type: DataTypes.TEXT },
      status: { type: DataTypes.TEXT, allowNull: false },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
    },
    { tableName: 'models' },
  );
}
