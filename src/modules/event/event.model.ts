import {
  DataTypes,
  type CreationOptional,
  type InferAttributes,
  type InferCreationAttributes,
  type Model,
  type ModelStatic,
  type Sequelize,
} from 'sequelize';
import type { EventContent, EventType } from '../../contract/events.contract.js';

export interface EventModel extends Model<InferAttributes<EventModel>, InferCreationAttributes<EventModel>> {
  userId: string;
  /** PostgreSQL's bigint arrives as text. */
  seq: string;
  type: EventType;
  subjectId: string;
  data: EventContent['data'];
  createdAt: CreationOptional<Date>;
}

export function defineEventModel(sequelize: Sequelize): ModelStatic<EventModel> {
  return sequelize.define<EventModel>(
    'Event',
    {
      userId: { type: DataTypes.UUID, primaryKey: true },
      seq: { type: DataTypes.BIGINT, primaryKey: true },
      type: { type: DataTypes.TEXT, allowNull: false },
      subjectId: { type: DataTypes.UUID, allowNull: false },
      data: { type: DataTypes.JSONB, allowNull: false },
      createdAt: { type: DataTypes.DATE },
    },
    { tableName: 'events' },
  );
}
