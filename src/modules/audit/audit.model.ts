import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { AuditDetail } from './audit.domain.js';

export interface AuditEntryModel extends Model<
  InferAttributes<AuditEntryModel>,
  InferCreationAttributes<AuditEntryModel>
> {
  /** PostgreSQL's bigint arrives as text. */
  /** What the entries are ordered by. */
  id: CreationOptional<string>;
  /** What the API shows. */
  publicId: CreationOptional<string>;
  actorId: string | null;
  action: string;
  targetType: string;
  targetId: string;
  detail: CreationOptional<AuditDetail>;
  requestId: string | null;
  address: string | null;
  createdAt: CreationOptional<Date>;
}

export function defineAuditEntryModel(sequelize: Sequelize): ModelStatic<AuditEntryModel> {
  return sequelize.define<AuditEntryModel>(
    'AuditEntry',
    {
      id: { type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true },
      publicId: { type: DataTypes.UUID },
      actorId: { type: DataTypes.UUID },
      action: { type: DataTypes.TEXT, allowNull: false },
      targetType: { type: DataTypes.TEXT, allowNull: false },
      targetId: { type: DataTypes.TEXT, allowNull: false },
      detail: { type: DataTypes.JSONB },
      requestId: { type: DataTypes.TEXT },
      address: { type: DataTypes.TEXT },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'audit_entries' },
  );
}
