import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { EndReason } from './session.domain.js';

export interface SessionModel extends Model<InferAttributes<SessionModel>, InferCreationAttributes<SessionModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  userId: string;
  familyHash: string;
  secretHash: string;
  /** Of the token before the current one. */
  spentHash: CreationOptional<string | null>;
  rotatedAt: CreationOptional<Date | null>;
  address: string | null;
  network: string;
  userAgent: string | null;
  createdAt: CreationOptional<Date>;
  lastUsedAt: CreationOptional<Date>;
  expiresAt: Date;
  endedAt: CreationOptional<Date | null>;
  endReason: CreationOptional<EndReason | null>;
}

export function defineSessionModel(sequelize: Sequelize): ModelStatic<SessionModel> {
  return sequelize.define<SessionModel>(
    'Session',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      userId: { type: DataTypes.UUID, allowNull: false },
      familyHash: { type: DataTypes.TEXT, allowNull: false, unique: true },
      secretHash: { type: DataTypes.TEXT, allowNull: false },
      spentHash: { type: DataTypes.TEXT },
      rotatedAt: { type: DataTypes.DATE },
      address: { type: DataTypes.TEXT },
      network: { type: DataTypes.TEXT, allowNull: false },
      userAgent: { type: DataTypes.TEXT },
      createdAt: { type: DataTypes.DATE },
      lastUsedAt: { type: DataTypes.DATE },
      expiresAt: { type: DataTypes.DATE, allowNull: false },
      endedAt: { type: DataTypes.DATE },
      endReason: { type: DataTypes.TEXT },
    },
    { tableName: 'sessions' },
  );
}
