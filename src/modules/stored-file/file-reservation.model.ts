import {
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface FileReservationModel extends Model<
  InferAttributes<FileReservationModel>,
  InferCreationAttributes<FileReservationModel>
> {
  id: string;
  storageKey: string;
  expiresAt: Date;
}

export function defineFileReservationModel(sequelize: Sequelize): ModelStatic<FileReservationModel> {
  return sequelize.define<FileReservationModel>(
    'FileReservation',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      storageKey: { type: DataTypes.TEXT, allowNull: false },
      expiresAt: { type: DataTypes.DATE, allowNull: false },
    },
    { tableName: 'file_reservations' },
  );
}
