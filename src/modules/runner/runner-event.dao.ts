import type { Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { RunnerEventModel } from './runner-event.model.js';

export type RunnerEventRow = Attributes<RunnerEventModel>;

export class RunnerEventDao extends BaseDao<RunnerEventModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.runnerEvents);
  }

  /** Newest first. @param before position of the last one of the page before */
  async page(
    runnerId: string,
    before: string | null,
    limit: number,
  ): Promise<{ row: RunnerEventRow; place: string }[]> {
    const rows = await this.rows<{
      id: string;
      position: string;
      runner_id: string;
      kind: RunnerEventRow['kind'];
      from_state: string | null;
      to_state: string | null;
      detail: string | null;
      created_at: Date;
    }>(
      `SELECT * FROM runner_events WHERE runner_id = $1 AND position < coalesce($2::bigint, 9223372036854775807)
       ORDER BY position DESC LIMIT $3`,
      [runnerId, before, limit],
    );
    return rows.map((row) => ({
      place: row.position,
      row: {
        id: row.id,
        position: row.position,
        runnerId: row.runner_id,
        kind: row.kind,
        fromState: row.from_state,
        toState: row.to_state,
        detail: row.detail,
        createdAt: row.created_at,
      },
    }));
  }

  async removeOlderThan(seconds: number): Promise<void> {
    await this.rows('DELETE FROM runner_events WHERE created_at < now() - make_interval(secs => $1)', [seconds]);
  }
}
