import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface LoginAttemptModel extends Model<
  InferAttributes<LoginAttemptModel>,
  InferCreationAttributes<LoginAttemptModel>
> {
  subject: string;
  failures: number;
  countedSince: CreationOptional<Date>;
  lockedUntil: CreationOptional<Date | null>;
}

export function defineLoginAttemptModel(sequelize: Sequelize): ModelStatic<LoginAttemptModel> {
  return sequelize.define<LoginAttemptModel>(
    'LoginAttempt',
    {
      subject: { type: DataTypes.TEXT, primaryKey: true },
      failures: { type: DataTypes.INTEGER, allowNull: false },
      countedSince: { type: DataTypes.DATE },
      lockedUntil: { type: DataTypes.DATE },
    },
    { tableName: 'login_attempts' },
  );
}
