import { Transaction, type Sequelize } from 'sequelize';
import { defineModels } from './model-registry.js';
import type { DatabaseScope } from './scope.js';

/** Reads the database as it was at one moment, however long that takes, without holding up anybody. */
export function inSnapshot<T>(sequelize: Sequelize, read: (scope: DatabaseScope) => Promise<T>): Promise<T> {
  const models = defineModels(sequelize);
  const isolationLevel = Transaction.ISOLATION_LEVELS.REPEATABLE_READ;
  return sequelize.transaction({ isolationLevel, readOnly: true }, (transaction) =>
    read({ sequelize, models, transaction }),
  );
}
