import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface UsageDayModel extends Model<InferAttributes<UsageDayModel>, InferCreationAttributes<UsageDayModel>> {
  userId: string;
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  /** Completed. */
  jobs: CreationOptional<number>;
  /** Ended, however. */
  attempts: CreationOptional<number>;
  /** PostgreSQL's bigint arrives as text. */
  frames: CreationOptional<string>;
  wallSeconds: CreationOptional<number>;
  cpuSeconds: CreationOptional<number>;
  gpuSeconds: CreationOptional<number>;
  energyWh: CreationOptional<number>;
  carbonGrams: CreationOptional<number>;
  credits: CreationOptional<string>;
}

export function defineUsageDayModel(sequelize: Sequelize): ModelStatic<UsageDayModel> {
  return sequelize.define<UsageDayModel>(
    'UsageDay',
    {
      userId: { type: DataTypes.UUID, primaryKey: true },
      day: { type: DataTypes.DATEONLY, primaryKey: true },
      jobs: { type: DataTypes.INTEGER },
      attempts: { type: DataTypes.INTEGER },
      frames: { type: DataTypes.BIGINT },
      wallSeconds: { type: DataTypes.DOUBLE },
      cpuSeconds: { type: DataTypes.DOUBLE },
      gpuSeconds: { type: DataTypes.DOUBLE },
      energyWh: { type: DataTypes.DOUBLE },
      carbonGrams: { type: DataTypes.DOUBLE },
      credits: { type: DataTypes.BIGINT },
    },
    { tableName: 'usage_days' },
  );
}
