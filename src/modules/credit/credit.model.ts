import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { CreditEntryKind, CreditReference } from './credit.domain.js';

export interface CreditEntryModel extends Model<
  InferAttributes<CreditEntryModel>,
  InferCreationAttributes<CreditEntryModel>
> {
  /** What the entries are ordered by. */
  id: CreationOptional<string>;
  /** What the API shows. */
  publicId: CreationOptional<string>;
  userId: string;
  kind: CreditEntryKind;
  amount: number;
  balanceAfter: number;
  referenceType: CreditReference['type'] | null;
  referenceId: string | null;
  reason: string;
  actorId: string | null;
  /** Of the request that caused it. */
  idempotencyKey: string | null;
  createdAt: CreationOptional<Date>;
}

export function defineCreditEntryModel(sequelize: Sequelize): ModelStatic<CreditEntryModel> {
  return sequelize.define<CreditEntryModel>(
    'CreditEntry',
    {
      id: { type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true },
      publicId: { type: DataTypes.UUID },
      userId: { type: DataTypes.UUID, allowNull: false },
      kind: { type: DataTypes.TEXT, allowNull: false },
      amount: { type: DataTypes.INTEGER, allowNull: false },
      balanceAfter: { type: DataTypes.INTEGER, allowNull: false },
      referenceType: { type: DataTypes.TEXT },
      referenceId: { type: DataTypes.UUID },
      reason: { type: DataTypes.TEXT, allowNull: false },
      actorId: { type: DataTypes.UUID },
      idempotencyKey: { type: DataTypes.TEXT },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'credit_entries' },
  );
}
