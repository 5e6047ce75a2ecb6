import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface CheckpointModel extends Model<
  InferAttributes<CheckpointModel>,
  InferCreationAttributes<CheckpointModel>
> {
  jobId: string;
  /** Rows of all its pieces. */
  rowCount: number;
  runnerKey: string;
  /** What the runner remembers; only it knows how to read it. */
  state: Buffer;
  createdAt: CreationOptional<Date>;
}

export function defineCheckpointModel(sequelize: Sequelize): ModelStatic<CheckpointModel> {
  return sequelize.define<CheckpointModel>(
    'InferenceCheckpoint',
    {
      jobId: { type: DataTypes.UUID, primaryKey: true },
      rowCount: { type: DataTypes.INTEGER, allowNull: false },
      runnerKey: { type: DataTypes.TEXT, allowNull: false },
      state: { type: DataTypes.BLOB, allowNull: false },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'inference_checkpoints' },
  );
}
