import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { JobStatus } from '../../contract/inference.contract.js';
import type { RunParameters } from '../../runners/runner.port.js';

export interface JobModel extends Model<InferAttributes<JobModel>, InferCreationAttributes<JobModel>> {
  id: string;
  userId: string;
  datasetId: string;
  goalVideoId: string;
  currentVideoId: string;
  status: CreationOptional<JobStatus>;
  parameters: RunParameters;
  modelId: string;
  modelName: string;
  modelVersion: string;
  /** What the model's own schema adds. */
  modelParameters: Readonly<Record<string, unknown>>;
  priority: number;
  /** Credits held for it. */
  cost: number;
  /** Attempts started. */
  attempt: CreationOptional<number>;
  claimToken: CreationOptional<string | null>;
  leaseExpiresAt: CreationOptional<Date | null>;
  availableAt: CreationOptional<Date>;
  cancelRequestedAt: CreationOptional<Date | null>;
  stoppedAt: CreationOptional<Date | null>;
  progressProcessed: CreationOptional<number | null>;
  progressTotal: CreationOptional<number | null>;
  /** Grams CO2e. */
  carbonFootprint: CreationOptional<number | null>;
  energyWh: CreationOptional<number | null>;
  errorCode: CreationOptional<string | null>;
  errorMessage: CreationOptional<string | null>;
  createdAt: CreationOptional<Date>;
  startedAt: CreationOptional<Date | null>;
  finishedAt: CreationOptional<Date | null>;
  updatedAt: CreationOptional<Date>;
  retryOf: CreationOptional<string | null>;
  startDeadline: CreationOptional<Date | null>;
  timeoutSeconds: CreationOptional<number | null>;
}

export function defineJobModel(sequelize: Sequelize): ModelStatic<JobModel> {
  return sequelize.define<JobModel>(
    'InferenceJob',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      userId: { type: DataTypes.UUID, allowNull: false },
      datasetId: { type: DataTypes.UUID, allowNull: false },
      goalVideoId: { type: DataTypes.UUID, allowNull: false },
      currentVideoId: { type: DataTypes.UUID, allowNull: false },
      status: { type: DataTypes.TEXT },
      parameters: { type: DataTypes.JSONB, allowNull: false },
      modelId: { type: DataTypes.UUID, allowNull: false },
      modelName: { type: DataTypes.TEXT, allowNull: false },
      modelVersion: { type: DataTypes.TEXT, allowNull: false },
      modelParameters: { type: DataTypes.JSONB, allowNull: false },
      priority: { type: DataTypes.INTEGER, allowNull: false },
      cost: { type: DataTypes.INTEGER, allowNull: false },
      attempt: { type: DataTypes.INTEGER },
      claimToken: { type: DataTypes.UUID },
      leaseExpiresAt: { type: DataTypes.DATE },
      availableAt: { type: DataTypes.DATE },
      cancelRequestedAt: { type: DataTypes.DATE },
      stoppedAt: { type: DataTypes.DATE },
      progressProcessed: { type: DataTypes.INTEGER },
      progressTotal: { type: DataTypes.INTEGER },
      carbonFootprint: { type: DataTypes.DOUBLE },
      energyWh: { type: DataTypes.DOUBLE },
      errorCode: { type: DataTypes.TEXT },
      errorMessage: { type: DataTypes.TEXT },
      createdAt: { type: DataTypes.DATE },
      startedAt: { type: DataTypes.DATE },
      finishedAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
      retryOf: { type: DataTypes.UUID },
      startDeadline: { type: DataTypes.DATE },
      timeoutSeconds: { type: DataTypes.INTEGER },
    },
    { tableName: 'inference_jobs' },
  );
}
