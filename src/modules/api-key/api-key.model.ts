import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { Scope } from '../../contract/route.contract.js';

export interface ApiKeyModel extends Model<InferAttributes<ApiKeyModel>, InferCreationAttributes<ApiKeyModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  userId: string;
  name: string;
  prefix: string;
  secretHash: string;
  scopes: Scope[];
  createdAt: CreationOptional<Date>;
  expiresAt: Date | null;
  lastUsedAt: CreationOptional<Date | null>;
}

export function defineApiKeyModel(sequelize: Sequelize): ModelStatic<ApiKeyModel> {
  return sequelize.define<ApiKeyModel>(
    'ApiKey',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      userId: { type: DataTypes.UUID, allowNull: false },
      name: { type: DataTypes.TEXT, allowNull: false },
      prefix: { type: DataTypes.TEXT, allowNull: false },
      secretHash: { type: DataTypes.TEXT, allowNull: false, unique: true },
      scopes: { type: DataTypes.ARRAY(DataTypes.TEXT), allowNull: false },
      createdAt: { type: DataTypes.DATE },
      expiresAt: { type: DataTypes.DATE },
      lastUsedAt: { type: DataTypes.DATE },
    },
    { tableName: 'api_keys' },
  );
}
