import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { RunnerDescription, RunnerState } from '../../runners/runner.port.js';
import type { BreakerState } from './breaker.domain.js';
import type { RunnerOrigin } from './runner.domain.js';

export interface RunnerModel extends Model<InferAttributes<RunnerModel>, InferCreationAttributes<RunnerModel>> {
  id: string;
  /** PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  name: string;
  kind: string;
  url: string | null;
  sealedToken: string | null;
  slots: number | null;
  models: string[] | null;
  origin: RunnerOrigin;
  disabledBy: CreationOptional<RunnerOrigin | null>;
  draining: CreationOptional<boolean>;
  revision: CreationOptional<number>;
  changedAt: CreationOptional<Date>;
  description: RunnerDescription;
  healthState: CreationOptional<RunnerState>;
  healthDetail: CreationOptional<string | null>;
  checkedAt: CreationOptional<Date | null>;
  latencyMs: CreationOptional<number | null>;
  checkDueAt: CreationOptional<Date>;
  breakerState: CreationOptional<BreakerState>;
  breakerFailures: CreationOptional<number>;
  breakerOpenings: CreationOptional<number>;
  openedUntil: CreationOptional<Date | null>;
  notBefore: CreationOptional<Date | null>;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
  deletedAt: CreationOptional<Date | null>;
}

export function defineRunnerModel(sequelize: Sequelize): ModelStatic<RunnerModel> {
  return sequelize.define<RunnerModel>(
    'Runner',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      name: { type: DataTypes.TEXT, allowNull: false },
      kind: { type: DataTypes.TEXT, allowNull: false },
      url: { type: DataTypes.TEXT },
      sealedToken: { type: DataTypes.TEXT },
      slots: { type: DataTypes.INTEGER },
      models: { type: DataTypes.ARRAY(DataTypes.TEXT) },
      origin: { type: DataTypes.TEXT, allowNull: false },
      disabledBy: { type: DataTypes.TEXT },
      draining: { type: DataTypes.BOOLEAN },
      revision: { type: DataTypes.INTEGER },
      changedAt: { type: DataTypes.DATE },
      description: { type: DataTypes.JSONB, allowNull: false },
      healthState: { type: DataTypes.TEXT },
      healthDetail: { type: DataTypes.TEXT },
      checkedAt: { type: DataTypes.DATE },
      latencyMs: { type: DataTypes.INTEGER },
      checkDueAt: { type: DataTypes.DATE },
      breakerState: { type: DataTypes.TEXT },
      breakerFailures: { type: DataTypes.INTEGER },
      breakerOpenings: { type: DataTypes.INTEGER },
      openedUntil: { type: DataTypes.DATE },
      notBefore: { type: DataTypes.DATE },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
      deletedAt: { type: DataTypes.DATE },
    },
    { tableName: 'runners' },
  );
}
