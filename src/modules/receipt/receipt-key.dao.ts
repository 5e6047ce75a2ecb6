import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ReceiptKeyModel } from './receipt-key.model.js';

export class ReceiptKeyDao extends BaseDao<ReceiptKeyModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.receiptKeys);
  }

  async insertFirst(keyId: string, publicKey: string): Promise<void> {
    await this.model.bulkCreate([{ keyId, publicKey }], { ...this.inScope, ignoreDuplicates: true, returning: false });
  }

  /** Newest first. */
  async list(): Promise<{ keyId: string; publicKey: string }[]> {
    const rows = await this.model.findAll({
      order: [
        ['createdAt', 'DESC'],
        ['keyId', 'ASC'],
      ],
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }
}
