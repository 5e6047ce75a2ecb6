import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface VideoModel extends Model<InferAttributes<VideoModel>, InferCreationAttributes<VideoModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  datasetId: string;
  name: string;
  /** Null once the file is gone. */
  storageKey: string | null;
  /** PostgreSQL's bigint arrives as text. */
  sizeBytes: string;
  sha256: string;
  container: string;
  codec: string;
  width: number;
  height: number;
  frameCount: number;
  frameRate: number | null;
  durationSeconds: number;
  cost: number;
  createdAt: CreationOptional<Date>;
  deletedAt: CreationOptional<Date | null>;
  /** When the file of a deleted video was given up. */
  purgedAt: CreationOptional<Date | null>;
}

export function defineVideoModel(sequelize: Sequelize): ModelStatic<VideoModel> {
  return sequelize.define<VideoModel>(
    'Video',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      datasetId: { type: DataTypes.UUID, allowNull: false },
      name: { type: DataTypes.TEXT, allowNull: false },
      storageKey: { type: DataTypes.TEXT },
      sizeBytes: { type: DataTypes.BIGINT, allowNull: false },
      sha256: { type: DataTypes.TEXT, allowNull: false },
      container: { type: DataTypes.TEXT, allowNull: false },
      codec: { type: DataTypes.TEXT, allowNull: false },
      width: { type: DataTypes.INTEGER, allowNull: false },
      height: { type: DataTypes.INTEGER, allowNull: false },
      frameCount: { type: DataTypes.INTEGER, allowNull: false },
      frameRate: { type: DataTypes.DOUBLE },
      durationSeconds: { type: DataTypes.DOUBLE, allowNull: false },
      cost: { type: DataTypes.INTEGER, allowNull: false },
      createdAt: { type: DataTypes.DATE },
      deletedAt: { type: DataTypes.DATE },
      purgedAt: { type: DataTypes.DATE },
    },
    { tableName: 'videos' },
  );
}
