import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { LiveConnectionModel } from './live-connection.model.js';

export class LiveConnectionDao extends BaseDao<LiveConnectionModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.liveConnections);
  }

  /** Puts the counts of one process in place of those it gave before, and keeps them for so many seconds. */
  async put(
    processId: string,
    userIds: readonly string[],
    counts: readonly number[],
    leaseSeconds: number,
  ): Promise<void> {
    await this.rows(
      `INSERT INTO live_connections (process_id, user_id, connections, expires_at)
       SELECT $1::uuid, user_id, connections, now() + make_interval(secs => $4)
       FROM unnest($2::uuid[], $3::integer[]) AS count (user_id, connections)
       ON CONFLICT (process_id, user_id)
       DO UPDATE SET connections = EXCLUDED.connections, expires_at = EXCLUDED.expires_at`,
      [processId, userIds, counts, leaseSeconds],
    );
  }

  async removeOf(processId: string): Promise<void> {
    await this.rows('DELETE FROM live_connections WHERE process_id = $1', [processId]);
  }

  async removeExpired(): Promise<void> {
    await this.rows('DELETE FROM live_connections WHERE expires_at < now()', []);
  }

  async sum(userId: string): Promise<{ total: number; own: number }> {
    const [row] = await this.rows<{ total: string; own: string }>(
      `SELECT coalesce(sum(connections), 0) AS total,
              coalesce(sum(connections) FILTER (WHERE user_id = $1), 0) AS own
       FROM live_connections WHERE expires_at > now()`,
      [userId],
    );
    return { total: Number(row.total), own: Number(row.own) };
  }
}
