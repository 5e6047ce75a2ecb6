import { literal } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ReceiptModel } from './receipt.model.js';

export class ReceiptDao extends BaseDao<ReceiptModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.receipts);
  }

  findByJob(jobId: string) {
    return this.findOne({ jobId });
  }

  /** The first one stays. */
  async insertFirst(jobId: string, payload: string): Promise<void> {
    await this.model.bulkCreate([{ jobId, payload }], { ...this.inScope, ignoreDuplicates: true, returning: false });
  }

  /** The first signature stays. */
  async sign(jobId: string, keyId: string, jws: string): Promise<void> {
    const values = { keyId, jws, signedAt: literal('now()') };
    await this.model.update(values, { where: { jobId, jws: null }, ...this.inScope });
  }
}
