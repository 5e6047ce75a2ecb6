import {
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface LiveConnectionModel extends Model<
  InferAttributes<LiveConnectionModel>,
  InferCreationAttributes<LiveConnectionModel>
> {
  processId: string;
  userId: string;
  connections: number;
  expiresAt: Date;
}

export function defineLiveConnectionModel(sequelize: Sequelize): ModelStatic<LiveConnectionModel> {
  return sequelize.define<LiveConnectionModel>(
    'LiveConnection',
    {
      processId: { type: DataTypes.UUID, primaryKey: true },
      userId: { type: DataTypes.UUID, primaryKey: true },
      connections: { type: DataTypes.INTEGER, allowNull: false },
      expiresAt: { type: DataTypes.DATE, allowNull: false },
    },
    { tableName: 'live_connections', createdAt: false, updatedAt: false },
  );
}
