import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { DeliveryKind, DeliveryStatus } from './webhook.domain.js';

export interface WebhookDeliveryModel extends Model<
  InferAttributes<WebhookDeliveryModel>,
  InferCreationAttributes<WebhookDeliveryModel>
> {
  id: string;
  /** PostgreSQL's bigint arrives as text. */
  position: CreationOptional<string>;
  webhookId: string;
  kind: DeliveryKind;
  messageId: string;
  type: string;
  seq: string | null;
  body: string;
  status: CreationOptional<DeliveryStatus>;
  attempts: CreationOptional<number>;
  availableAt: CreationOptional<Date>;
  createdAt: CreationOptional<Date>;
  finishedAt: CreationOptional<Date | null>;
}

export function defineWebhookDeliveryModel(sequelize: Sequelize): ModelStatic<WebhookDeliveryModel> {
  return sequelize.define<WebhookDeliveryModel>(
    'WebhookDelivery',
    {
      id: { type: DataTypes.UUID, primaryKey: true },
      position: { type: DataTypes.BIGINT },
      webhookId: { type: DataTypes.UUID, allowNull: false },
      kind: { type: DataTypes.TEXT, allowNull: false },
      messageId: { type: DataTypes.TEXT, allowNull: false },
      type: { type: DataTypes.TEXT, allowNull: false },
      seq: { type: DataTypes.BIGINT },
      body: { type: DataTypes.TEXT, allowNull: false },
      status: { type: DataTypes.TEXT },
      attempts: { type: DataTypes.INTEGER },
      availableAt: { type: DataTypes.DATE },
      createdAt: { type: DataTypes.DATE },
      finishedAt: { type: DataTypes.DATE },
    },
    { tableName: 'webhook_deliveries', updatedAt: false },
  );
}
