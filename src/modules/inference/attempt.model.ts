import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { AttemptOutcome } from './inference.domain.js';

export interface AttemptModel extends Model<InferAttributes<AttemptModel>, InferCreationAttributes<AttemptModel>> {
  jobId: string;
  number: number;
  claimToken: string;
  worker: string;
  outcome: CreationOptional<AttemptOutcome | null>;
  errorCode: CreationOptional<string | null>;
  errorMessage: CreationOptional<string | null>;
  startedAt: CreationOptional<Date>;
  finishedAt: CreationOptional<Date | null>;
  /** Taken over from the attempts before. */
  resumedRows: CreationOptional<number>;
  /** What it has consumed, as far as that is known; it stays when it ends. */
  footprint: CreationOptional<Footprint | null>;
}

export function defineAttemptModel(sequelize: Sequelize): ModelStatic<AttemptModel> {
  return sequelize.define<AttemptModel>(
    'InferenceAttempt',
    {
      jobId: { type: DataTypes.UUID, primaryKey: true },
      number: { type: DataTypes.INTEGER, primaryKey: true },
      claimToken: { type: DataTypes.UUID, allowNull: false, unique: true },
      worker: { type: DataTypes.TEXT, allowNull: false },
      outcome: { type: DataTypes.TEXT },
      errorCode: { type: DataTypes.TEXT },
      errorMessage: { type: DataTypes.TEXT },
      startedAt: { type: DataTypes.DATE },
      finishedAt: { type: DataTypes.DATE },
      resumedRows: { type: DataTypes.INTEGER },
      footprint: { type: DataTypes.JSONB },
    },
    { tableName: 'inference_attempts' },
  );
}
