import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';

export interface ReceiptKeyModel extends Model<
  InferAttributes<ReceiptKeyModel>,
  InferCreationAttributes<ReceiptKeyModel>
> {
  keyId: string;
  /** The member `x` of its JWK. */
  publicKey: string;
  createdAt: CreationOptional<Date>;
}

export function defineReceiptKeyModel(sequelize: Sequelize): ModelStatic<ReceiptKeyModel> {
  return sequelize.define<ReceiptKeyModel>(
    'ReceiptKey',
    {
      keyId: { type: DataTypes.TEXT, primaryKey: true },
      publicKey: { type: DataTypes.TEXT, allowNull: false },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'receipt_keys' },
  );
}
