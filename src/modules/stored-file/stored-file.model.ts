import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface StoredFileModel extends Model<
  InferAttributes<StoredFileModel>,
  InferCreationAttributes<StoredFileModel>
> {
  sha256: string;
  storageKey: string;
  /** PostgreSQL's bigint arrives as text. */
  sizeBytes: string;
  createdAt: CreationOptional<Date>;
}

export function defineStoredFileModel(sequelize: Sequelize): ModelStatic<StoredFileModel> {
  return sequelize.define<StoredFileModel>(
    'StoredFile',
    {
      sha256: { type: DataTypes.TEXT, primaryKey: true },
      storageKey: { type: DataTypes.TEXT, allowNull: false, unique: true },
      sizeBytes: { type: DataTypes.BIGINT, allowNull: false },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'stored_files' },
  );
}
