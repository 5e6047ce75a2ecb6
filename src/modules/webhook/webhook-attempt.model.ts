import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { DeliveryOutcome } from './webhook.domain.js';

export interface WebhookAttemptModel extends Model<
  InferAttributes<WebhookAttemptModel>,
  InferCreationAttributes<WebhookAttemptModel>
> {
  deliveryId: string;
  number: number;
  outcome: CreationOptional<DeliveryOutcome | null>;
  responseStatus: CreationOptional<number | null>;
  responseBody: CreationOptional<string | null>;
  errorCode: CreationOptional<string | null>;
  errorMessage: CreationOptional<string | null>;
  durationMs: CreationOptional<number | null>;
  startedAt: CreationOptional<Date>;
  finishedAt: CreationOptional<Date | null>;
}

export function defineWebhookAttemptModel(sequelize: Sequelize): ModelStatic<WebhookAttemptModel> {
  return sequelize.define<WebhookAttemptModel>(
    'WebhookAttempt',
    {
      deliveryId: { type: DataTypes.UUID, primaryKey: true },
      number: { type: DataTypes.INTEGER, primaryKey: true },
      outcome: { type: DataTypes.TEXT },
      responseStatus: { type: DataTypes.INTEGER },
      responseBody: { type: DataTypes.TEXT },
      errorCode: { type: DataTypes.TEXT },
      errorMessage: { type: DataTypes.TEXT },
      durationMs: { type: DataTypes.INTEGER },
      startedAt: { type: DataTypes.DATE },
      finishedAt: { type: DataTypes.DATE },
    },
    { tableName: 'webhook_attempts', createdAt: false, updatedAt: false },
  );
}
