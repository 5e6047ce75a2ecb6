import {
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { FrameReport } from '../../runners/runner.port.js';

export interface CheckpointPieceModel extends Model<
  InferAttributes<CheckpointPieceModel>,
  InferCreationAttributes<CheckpointPieceModel>
> {
  jobId: string;
  firstRow: number;
  rowCount: number;
  /** Six numbers per processed frame. */
  velocity: number[][];
  /** One report per row. */
  frames: FrameReport[];
  /** Of the file with their pictures; null when there are none. */
  picturesKey: string | null;
}

export function defineCheckpointPieceModel(sequelize: Sequelize): ModelStatic<CheckpointPieceModel> {
  return sequelize.define<CheckpointPieceModel>(
    'InferenceCheckpointPiece',
    {
      jobId: { type: DataTypes.UUID, primaryKey: true },
      firstRow: { type: DataTypes.INTEGER, primaryKey: true },
      rowCount: { type: DataTypes.INTEGER, allowNull: false },
      velocity: { type: DataTypes.JSONB, allowNull: false },
      frames: { type: DataTypes.JSONB, allowNull: false },
      picturesKey: { type: DataTypes.TEXT, unique: true },
    },
    { tableName: 'inference_checkpoint_pieces' },
  );
}
