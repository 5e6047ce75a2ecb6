import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { Role } from '../../contract/account.contract.js';

export interface UserModel extends Model<InferAttributes<UserModel>, InferCreationAttributes<UserModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  email: string;
  passwordHash: string;
  role: Role;
  credit: CreationOptional<number>;
  /** Last sequence of the user's event log; PostgreSQL's bigint arrives as text. */
  eventSeq: CreationOptional<string>;
  disabledAt: CreationOptional<Date | null>;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
}

export function defineUserModel(sequelize: Sequelize): ModelStatic<UserModel> {
  return sequelize.define<UserModel>(
    'User',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      email: { type: DataTypes.TEXT, allowNull: false, unique: true },
      passwordHash: { type: DataTypes.TEXT, allowNull: false },
      role: { type: DataTypes.TEXT, allowNull: false },
      credit: { type: DataTypes.INTEGER },
      eventSeq: { type: DataTypes.BIGINT },
      disabledAt: { type: DataTypes.DATE },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
    },
    { tableName: 'users' },
  );
}
