import type { DatabaseScope } from '../../platform/database/scope.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { CreditEntryModel } from './credit.model.js';

export class CreditEntryDao extends BaseDao<CreditEntryModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.creditEntries);
  }
}
