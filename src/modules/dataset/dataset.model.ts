import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface DatasetModel extends Model<InferAttributes<DatasetModel>, InferCreationAttributes<DatasetModel>> {
  id: string;
  /** Order of creation; PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  userId: string;
  name: string;
  tags: string[];
  /** Goes up with every change of the dataset or of its videos. */
  version: CreationOptional<number>;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
  deletedAt: CreationOptional<Date | null>;
}

export function defineDatasetModel(sequelize: Sequelize): ModelStatic<DatasetModel> {
  return sequelize.define<DatasetModel>(
    'Dataset',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      userId: { type: DataTypes.UUID, allowNull: false },
      name: { type: DataTypes.TEXT, allowNull: false },
      tags: { type: DataTypes.ARRAY(DataTypes.TEXT), allowNull: false },
      version: { type: DataTypes.INTEGER },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
      deletedAt: { type: DataTypes.DATE },
    },
    { tableName: 'datasets' },
  );
}
