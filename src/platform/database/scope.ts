import type { Sequelize, Transaction } from 'sequelize';
import type { Models } from './model-registry.js';

/** What a DAO works in: the database as it is, or one transaction of it. Repositories are built anew for each. */
export interface DatabaseScope {
  sequelize: Sequelize;
  models: Models;
  transaction: Transaction | null;
}
