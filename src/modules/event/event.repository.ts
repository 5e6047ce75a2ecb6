import type { EventContent } from '../../contract/events.contract.js';
import { UserDao } from '../account/account.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { EventDao, type EventRow } from './event.dao.js';
import type { LoggedEvent, NewEvent } from './event.domain.js';

/** The one history: per user, numbered from 1 without gaps. */
export class EventRepository {
  private readonly users: UserDao;
  private readonly events: EventDao;

  constructor(scope: DatabaseScope) {
    this.users = new UserDao(scope);
    this.events = new EventDao(scope);
  }

  /**
   * Appends in the caller's transaction. Numbers are taken from the user's row, whose lock makes later appends wait for
   * this commit or rollback: that is why none is ever missing and none is seen before its predecessor.
   */
  async append(userId: string, entries: readonly NewEvent[]): Promise<void> {
    if (entries.length === 0) return;
    const last = await this.users.advanceEventSeq(userId, entries.length);
    if (last === null) throw new Error(`There is no user ${userId} to log an event for`);
    const first = last - entries.length + 1;
    await this.events.insertAll(entries.map((entry, index) => ({ userId, seq: String(first + index), ...entry })));
    await this.events.notify(userId);
  }

  async listAfter(userId: string, seq: number, limit: number): Promise<LoggedEvent[]> {
    const rows = await this.events.listAfter(userId, seq, limit);
    return rows.map(toLoggedEvent);
  }

  async lastSeq(userId: string): Promise<number> {
    const user = await this.users.findById(userId);
    return Number(user?.eventSeq ?? 0);
  }
}

/** The log is written by {@link EventRepository.append} only: each kind has the data of its kind. */
function toLoggedEvent({ seq, type, data, createdAt }: EventRow): LoggedEvent {
  return { ...({ type, data } as EventContent), seq: Number(seq), createdAt };
}
