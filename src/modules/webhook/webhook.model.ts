import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { EventType } from '../../contract/events.contract.js';
import type { DisabledReason } from './webhook.domain.js';

export interface WebhookModel extends Model<InferAttributes<WebhookModel>, InferCreationAttributes<WebhookModel>> {
  id: string;
  /** PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  userId: string;
  url: string;
  description: string;
  eventTypes: EventType[];
  enabled: boolean;
  disabledReason: CreationOptional<DisabledReason | null>;
  disabledAt: CreationOptional<Date | null>;
  sealedSecret: string;
  previousSealedSecret: CreationOptional<string | null>;
  previousSecretExpiresAt: CreationOptional<Date | null>;
  lastSeq: string;
  failingSince: CreationOptional<Date | null>;
  claimToken: CreationOptional<string | null>;
  leaseExpiresAt: CreationOptional<Date | null>;
  createdAt: CreationOptional<Date>;
  updatedAt: CreationOptional<Date>;
}

export function defineWebhookModel(sequelize: Sequelize): ModelStatic<WebhookModel> {
  return sequelize.define<WebhookModel>(
    'Webhook',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      userId: { type: DataTypes.UUID, allowNull: false },
      url: { type: DataTypes.TEXT, allowNull: false },
      description: { type: DataTypes.TEXT, allowNull: false },
      eventTypes: { type: DataTypes.ARRAY(DataTypes.TEXT), allowNull: false },
      enabled: { type: DataTypes.BOOLEAN, allowNull: false },
      disabledReason: { type: DataTypes.TEXT },
      disabledAt: { type: DataTypes.DATE },
      sealedSecret: { type: DataTypes.TEXT, allowNull: false },
      previousSealedSecret: { type: DataTypes.TEXT },
      previousSecretExpiresAt: { type: DataTypes.DATE },
      lastSeq: { type: DataTypes.BIGINT, allowNull: false },
      failingSince: { type: DataTypes.DATE },
      claimToken: { type: DataTypes.UUID },
      leaseExpiresAt: { type: DataTypes.DATE },
      createdAt: { type: DataTypes.DATE },
      updatedAt: { type: DataTypes.DATE },
    },
    { tableName: 'webhooks' },
  );
}
