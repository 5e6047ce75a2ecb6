import type { EventContent } from '../../contract/events.contract.js';
import { UserDao } from '../account/account.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { EventDao, type EventRow } from './event.dao.js';
import { EventsGoneError, type LogBounds, type LoggedEvent, type NewEvent } from './event.domain.js';

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

  /**
   * What comes right behind a position, in order and without gaps.
   * @throws EventsGoneError when the first of it is no longer kept
   */
  async readAfter(userId: string, seq: number, limit: number): Promise<LoggedEvent[]> {
    const rows = await this.events.listAfter(userId, seq, limit);
    if (rows.length === 0 || Number(rows[0].seq) !== seq + 1) await this.requireKept(userId, seq);
    return rows.map(toLoggedEvent);
  }

  /**
   * The same of the events about one job, between which there are others.
   * @throws EventsGoneError when some behind the position may no longer be kept
   */
  async readOfJobAfter(userId: string, jobId: string, seq: number, limit: number): Promise<LoggedEvent[]> {
    const rows = await this.events.listOfSubjectAfter(userId, jobId, seq, limit);
    await this.requireKept(userId, seq);
    return rows.map(toLoggedEvent);
  }

  async bounds(userId: string): Promise<LogBounds> {
    const bounds = await this.events.bounds(userId);
    const last = Number(bounds?.last ?? 0);
    return { first: Number(bounds?.first ?? last + 1), last };
  }

  /** Users whose first event is older than so many seconds, those behind `after` in the order of their ids. */
  usersWithOld(ageSeconds: number, after: string | null, limit: number): Promise<string[]> {
    return this.events.usersWithOld(ageSeconds, after, limit);
  }

  /** @returns how many were removed, from the start of the log */
  removeOldOf(userId: string, ageSeconds: number, limit: number): Promise<number> {
    return this.events.removeOldOf(userId, ageSeconds, limit);
  }

  /** Asked after the events were read: what is removed in between would look as if it had never been there. */
  private async requireKept(userId: string, seq: number): Promise<void> {
    const { first } = await this.bounds(userId);
    if (seq + 1 < first) throw new EventsGoneError(first);
  }
}

/** The log is written by {@link EventRepository.append} only: each kind has the data of its kind. */
function toLoggedEvent({ seq, type, data, createdAt }: EventRow): LoggedEvent {
  return { ...({ type, data } as EventContent), seq: Number(seq), createdAt };
}
