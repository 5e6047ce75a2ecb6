import { Op, type Attributes } from 'sequelize';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { CREDIT_ENTRY_KINDS } from '../../contract/credit.contract.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { CreditEntryKind, CreditReference } from './credit.domain.js';
import type { CreditEntryModel } from './credit.model.js';

export type CreditEntryRow = Attributes<CreditEntryModel>;

interface EntryPage {
  kind: CreditEntryKind | null;
  /** Only entries older than this one; null for the newest. */
  before: string | null;
  limit: number;
}

export class CreditEntryDao extends BaseDao<CreditEntryModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.creditEntries);
  }

  /** Newest first. */
  async page(userId: string, { kind, before, limit }: EntryPage): Promise<CreditEntryRow[]> {
    const rows = await this.model.findAll({
      where: {
        userId,
        ...(kind === null ? {} : { kind }),
        ...(before === null ? {} : { id: { [Op.lt]: before } }),
      },
      order: [['id', 'DESC']],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  async listByReference({ type, id }: CreditReference): Promise<CreditEntryRow[]> {
    const rows = await this.model.findAll({
      // The index is on kind and reference.
      where: { kind: [...CREDIT_ENTRY_KINDS], referenceType: type, referenceId: id },
      order: [['id', 'ASC']],
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  /** What jobs that have not ended may still give back to the account. */
  async heldByJobs(userId: string): Promise<number> {
    const [row] = await this.rows<{ held: string }>(
      `SELECT coalesce(sum(cost), 0) AS held FROM inference_jobs
       WHERE user_id = $1 AND status IN ('PENDING', 'RUNNING')`,
      [userId],
    );
    return Number(row.held);
  }
}
