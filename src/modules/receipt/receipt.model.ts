import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface ReceiptModel extends Model<InferAttributes<ReceiptModel>, InferCreationAttributes<ReceiptModel>> {
  jobId: string;
  /** JSON; what is signed is this text. */
  payload: string;
  /** Null, with the next two, until somebody asks. */
  keyId: CreationOptional<string | null>;
  jws: CreationOptional<string | null>;
  signedAt: CreationOptional<Date | null>;
  createdAt: CreationOptional<Date>;
}

export function defineReceiptModel(sequelize: Sequelize): ModelStatic<ReceiptModel> {
  return sequelize.define<ReceiptModel>(
    'Receipt',
    {
      jobId: { type: DataTypes.UUID, primaryKey: true },
      payload: { type: DataTypes.TEXT, allowNull: false },
      keyId: { type: DataTypes.TEXT },
      jws: { type: DataTypes.TEXT },
      signedAt: { type: DataTypes.DATE },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'receipts' },
  );
}
