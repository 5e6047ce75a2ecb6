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
import type { StopEvidence } from '../../runners/runner.errors.js';
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
  /** Null for attempts from before runners were rows. */
  runnerId: CreationOptional<string | null>;
  runnerName: CreationOptional<string | null>;
  runnerKind: CreationOptional<string | null>;
  /** How it is known that the work has stopped, and when that was; null where it came to its end. */
  stoppedBy: CreationOptional<StopEvidence['by'] | null>;
  stoppedAt: CreationOptional<Date | null>;
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
      runnerId: { type: DataTypes.UUID },
      runnerName: { type: DataTypes.TEXT },
      runnerKind: { type: DataTypes.TEXT },
      stoppedBy: { type: DataTypes.TEXT },
      stoppedAt: { type: DataTypes.DATE },
    },
    { tableName: 'inference_attempts' },
  );
}
