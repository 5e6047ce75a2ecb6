import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { RunnerEventKind } from './runner.domain.js';

export interface RunnerEventModel extends Model<
  InferAttributes<RunnerEventModel>,
  InferCreationAttributes<RunnerEventModel>
> {
  id: string;
  /** PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  runnerId: string;
  kind: RunnerEventKind;
  fromState: string | null;
  toState: string | null;
  detail: string | null;
  createdAt: CreationOptional<Date>;
}

export function defineRunnerEventModel(sequelize: Sequelize): ModelStatic<RunnerEventModel> {
  return sequelize.define<RunnerEventModel>(
    'RunnerEvent',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      runnerId: { type: DataTypes.UUID, allowNull: false },
      kind: { type: DataTypes.TEXT, allowNull: false },
      fromState: { type: DataTypes.TEXT },
      toState: { type: DataTypes.TEXT },
      detail: { type: DataTypes.TEXT },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'runner_events' },
  );
}
