import type { DatabaseScope } from '../../platform/database/scope.js';
import { LiveConnectionDao } from './live-connection.dao.js';

/** How many connections each process says it holds, for as long as it keeps saying so. */
export class LiveConnectionRepository {
  private readonly connections: LiveConnectionDao;

  constructor(scope: DatabaseScope) {
    this.connections = new LiveConnectionDao(scope);
  }

  async report(processId: string, counts: ReadonlyMap<string, number>, leaseSeconds: number): Promise<void> {
    if (counts.size === 0) return;
    await this.connections.put(processId, [...counts.keys()], [...counts.values()], leaseSeconds);
  }

  withdraw(processId: string): Promise<void> {
    return this.connections.removeOf(processId);
  }

  /** Rows of processes that died, and of users who have no connection any more. */
  forgetSilent(): Promise<void> {
    return this.connections.removeExpired();
  }

  /** Over all processes: of everybody, and of this user. */
  count(userId: string): Promise<{ total: number; own: number }> {
    return this.connections.sum(userId);
  }
}
