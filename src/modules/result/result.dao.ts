import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ResultModel } from './result.model.js';

export class ResultDao extends BaseDao<ResultModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.results);
  }

  findByJob(jobId: string) {
    return this.findOne({ jobId });
  }

  /** Those of `keys` that a row refers to. */
  async knownArchiveKeys(keys: readonly string[]): Promise<Set<string>> {
    const rows = await this.rows<{ archive_key: string }>(
      'SELECT archive_key FROM results WHERE archive_key = ANY ($1::text[])',
      [keys],
    );
    return new Set(rows.map((row) => row.archive_key));
  }
}
